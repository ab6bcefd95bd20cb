"use client";

import type { AuditEvent, AuditlaneViewer } from "@auditlane/viewer";
import type {} from "@auditlane/viewer/react";
import { useCallback, useEffect, useState } from "react";

/** The activity of one document. The server renders the tag; the browser defines the element after hydration. */
export function Activity({ document: id, service }: { document: string; service: string }) {
  const [token, setToken] = useState("");
  const [failed, setFailed] = useState(false);

  const renew = useCallback(async () => {
    setFailed(false);
    try {
      await import("@auditlane/viewer");
      const response = await fetch(`/documents/${encodeURIComponent(id)}/audit-token`, { cache: "no-store" });
      if (!response.ok) throw new Error(String(response.status));
      setToken(await response.text());
    } catch {
      setFailed(true);
    }
  }, [id]);

  useEffect(() => void renew(), [renew]);

  return (
    <>
      {failed && (
        <p role="alert">
          The activity cannot be loaded. <button onClick={renew}>Try again</button>
        </p>
      )}
      <auditlane-viewer
        ref={customize}
        base-url={service}
        token={token}
        columns="occurred_at, actor_name, action"
        density="compact"
        hide="title tiles histogram settings save-view views"
        ontoken-expired={renew}
      />
    </>
  );
}

/** Sets the properties that are functions, which React does not set when it hydrates a custom element. */
function customize(viewer: AuditlaneViewer | null): void {
  if (viewer) viewer.renderCell = linkToActor;
}

/** Renders users as links to their pages in this product, and leaves all other cells to the viewer. */
function linkToActor(field: string, _value: string | null, event: AuditEvent): Node | null {
  if (field !== "actor_name" || event.actor_type !== "user") return null;
  const link = document.createElement("a");
  link.href = `/people/${encodeURIComponent(event.actor_id)}`;
  link.textContent = event.actor_name ?? event.actor_id;
  link.part.add("custom");
  return link;
}
