import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";

import { AuditLog } from "./AuditLog.jsx";

async function token() {
  const response = await fetch("/audit-token");
  if (!response.ok) throw new Error(`/audit-token: ${response.status}`);
  return response.text();
}

function App() {
  const [theme, setTheme] = useState("auto");
  return (
    <>
      <h1>
        Your product{" "}
        <button onClick={() => setTheme(theme === "dark" ? "light" : "dark")}>{theme === "dark" ? "Light" : "Dark"}</button>
      </h1>
      <AuditLog service="https://audit.example.com" token={token} theme={theme} />
    </>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
