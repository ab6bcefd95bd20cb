/** The service's own page: the viewer fills the window and uses the session of a link. */
import "./viewer.js";
