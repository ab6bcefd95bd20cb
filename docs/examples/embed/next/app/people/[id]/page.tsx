/** A person's page, to which the viewer's cells link. */
export default async function PersonPage({ params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  return <h1>Person {id}</h1>;
}
