/** The service's own page. The viewer fills its window and uses a link's session. */
import "./viewer.js";
