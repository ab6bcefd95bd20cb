const frame = document.querySelector("iframe");
const audit = "https://audit.example.com";

window.addEventListener("message", async (event) => {
  if (event.source !== frame.contentWindow || event.origin !== audit) return;
  if (event.data.type !== "auditlane:ready" && event.data.type !== "auditlane:token-expired") return;
  const token = await (await fetch("/audit-token")).text();
  frame.contentWindow.postMessage({ type: "auditlane:token", token }, audit);
});
