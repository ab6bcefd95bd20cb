import { useEffect, useState } from "react";

/**
 * The viewer as a component: React 19 passes properties and events to custom elements.
 * `token()` resolves to a viewer token; it is called at the start, and whenever the token expires.
 */
export function AuditLog({ service, token, onReady, ...rest }) {
  const [current, setCurrent] = useState("");

  useEffect(() => {
    import(/* @vite-ignore */ `${service}/static/viewer/auditlane-viewer.js`);
    token().then(setCurrent);
  }, [service]);

  if (!current) return null;
  return (
    <auditlane-viewer
      base-url={service}
      token={current}
      ontoken-expired={() => token().then(setCurrent)}
      onauditlane-ready={onReady}
      {...rest}
    />
  );
}
