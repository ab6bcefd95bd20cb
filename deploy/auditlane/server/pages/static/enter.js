// Inside a frame, the vendor's page created the link for this frame, so no confirmation is needed. Scanners and previews
// that fetch the address without running this script do not use the link up.
document.querySelector("form").requestSubmit();
