// A link into a frame: the vendor's page made it for this frame, so nobody is asked. Whatever fetches the address without
// running this (a scanner, a preview) uses nothing up.
document.querySelector("form").requestSubmit();
