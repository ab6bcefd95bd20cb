/** The signed-in user. A real product reads the user and the tenant from its session. */
export async function currentUser(): Promise<{ id: string; tenant: string }> {
  return { id: "u-17", tenant: process.env.EXAMPLE_TENANT ?? "acme" };
}
