/** The service's own page, in which the viewer fills the window and uses a link's session. */
import "./viewer.js";
