import { useCallback, useEffect, useState } from "react";

/**
 * The viewer as a component: React 19 passes properties and events to custom elements.
 * `token()` resolves to a viewer token, or rejects; it is called at the start, and whenever the token expires.
 */
export function AuditLog({ service, token, onReady, ...rest }) {
  const [current, setCurrent] = useState("");
  const [failed, setFailed] = useState(false);

  const renew = useCallback(async () => {
    setFailed(false);
    try {
      await import(/* @vite-ignore */ `${service}/static/viewer/auditlane-viewer.js`);
      setCurrent(await token());
    } catch {
      setFailed(true); // a viewer that is shown keeps its events
    }
  }, [service, token]);

  useEffect(() => void renew(), [renew]);

  return (
    <>
      {failed && (
        <p role="alert">
          The audit log cannot be loaded. <button onClick={renew}>Try again</button>
        </p>
      )}
      {current && (
        <auditlane-viewer
          base-url={service}
          token={current}
          ontoken-expired={renew}
          onauditlane-ready={onReady}
          {...rest}
        />
      )}
    </>
  );
}
