/** The page of the service itself. The viewer fills its window and uses the session that a link has set. */
import "./viewer.js";
