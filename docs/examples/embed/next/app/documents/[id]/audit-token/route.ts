import { currentUser } from "../../../../lib/session";
import { documentToken } from "../../../../lib/viewer-token";

/** Returns a viewer token for the signed-in user, limited to the document of the address. */
export async function GET(_request: Request, { params }: { params: Promise<{ id: string }> }): Promise<Response> {
  const { id } = await params;
  const { id: user, tenant } = await currentUser();
  return new Response(await documentToken(tenant, user, id), { headers: { "Cache-Control": "no-store" } });
}
