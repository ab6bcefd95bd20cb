import { SERVICE } from "../../../lib/service";
import { currentUser } from "../../../lib/session";
import { Activity } from "./Activity";

/** A document's page, rendered on the server for each request. */
export default async function DocumentPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  const { tenant } = await currentUser(); // a real product checks whether the user may see the document
  return (
    <main>
      <h1>Document {id}</h1>
      <p>A document of {tenant}.</p>
      <h2>Activity</h2>
      <Activity document={id} service={SERVICE} />
    </main>
  );
}
