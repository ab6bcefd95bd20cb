/** The service's own page: the viewer over the whole window, with the session of a link. */
import "./viewer.js";
