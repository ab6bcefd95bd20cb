const viewer = document.querySelector("auditlane-viewer");

async function renew() {
  viewer.token = await (await fetch("/audit-token")).text();
}

viewer.addEventListener("token-expired", renew); // what was asked goes on with the new one
await renew();
