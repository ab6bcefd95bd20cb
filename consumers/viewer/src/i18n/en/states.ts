export const states = {
  title: (tenant: string): string => `Audit log of ${tenant}`,
  loading: "Loading",
  retry: "Try again",
  tenantNeeded: "The credential is for the whole environment: name a tenant.",
};
