/** The viewer inside of a frame. */
import "./viewer.js";
