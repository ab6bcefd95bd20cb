const viewer = document.querySelector("auditlane-viewer");

async function renew() {
  viewer.token = await (await fetch("/audit-token")).text();
}

viewer.addEventListener("token-expired", renew); // the viewer then repeats its requests with the new token
await renew();
