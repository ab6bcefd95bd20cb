/** Requests for the data structure of a tenant or the environment. Saving sends the ETag of the version that was read. */
import type { Client } from "./client.js";
import type { DisplayType, ShownField, ShownStructure } from "./types.js";

/** How a field is shown. */
export interface FieldView {
  displayName: string;
  displayType: DisplayType;
  sortable: boolean;
  filterable: boolean;
  showInTable: boolean;
  showInMoreInfo: boolean;
  downloadable: boolean;
  order: number;
  /** For `resource`: link templates to the host's pages, by resource type. */
  links?: Record<string, string>;
}

export interface Field extends ShownField {
  /** The presentation without the overrides of this scope. Null for the scope's own fields. */
  inherited: FieldView | null;
}

export interface Structure extends ShownStructure {
  /** The inherited setting, which is used if this scope's own setting is null. */
  inheritedEnabled: boolean;
  fields: Field[];
  removed: Field[];
}

export type FieldType =
  | "AlphaNumeric"
  | "Enum"
  | "Number"
  | "Integer"
  | "Boolean"
  | "Timestamp"
  | "Email"
  | "IpAddress"
  | "Json";

export interface Rules {
  required?: boolean;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  oneOf?: (string | number)[];
}

export interface ContractField {
  name: string;
  type: FieldType;
  default: unknown;
  rules: Rules;
  shown: boolean;
  displayName: string | null;
}

export interface Contract {
  subject: string;
  version: number;
  /** Whether events encoded with the base schema are rejected. */
  exclusive: boolean;
  fields: ContractField[];
}

export interface RevisionChange {
  kind: "added" | "changed" | "removed" | "restored" | "reset" | "switched";
  /** Null for changes to an action or to the switch. */
  field: string | null;
  /** The action whose labels changed. */
  action?: string | null;
  /** The effective values before and after, by attribute or, for an action, by language. */
  values: Record<string, [unknown, unknown]>;
}

export interface Revision {
  revision: number;
  changedBy: string;
  changedAt: string | null;
  changes: RevisionChange[];
  /** The names of all shown fields, in their order before and after. Null if none moved. */
  sequence: [string[], string[]] | null;
  /** The labels of the named fields as of this revision. */
  labels: Record<string, string>;
}

export interface HistoryPage {
  data: Revision[];
  /** The value of `before` for the next page, or null at the end. */
  next: number | null;
}

/** The body of a request that adds or changes a field. */
export interface FieldInput extends Partial<FieldView> {
  name?: string;
  type?: FieldType;
  default?: unknown;
  rules?: Rules;
  exclusive?: boolean;
}

/** A structure with its ETag. */
export interface StructureVersion {
  structure: Structure;
  etag: string;
}

/** Every method rejects with Problem. `tenant` is null for the environment. */
export class StructureApi {
  private readonly path: string;

  constructor(
    private readonly client: Client,
    readonly tenant: string | null,
  ) {
    this.path = tenant === null ? "/v1/structure" : `/v1/tenants/${encodeURIComponent(tenant)}/structure`;
  }

  read(): Promise<StructureVersion> {
    return this.send("", {});
  }

  contract(): Promise<Contract> {
    return this.client.json<Contract>(`${this.path}/fields`);
  }

  /** Reads the revisions below `before`, newest first. */
  history(limit: number, before: number | null = null): Promise<HistoryPage> {
    const params: [string, string][] = [["limit", String(limit)]];
    if (before !== null) params.push(["before", String(before)]);
    return this.client.json<HistoryPage>(`${this.path}/history`, { params });
  }

  save(etag: string, body: { enabled?: boolean | null; fields?: object[] }): Promise<StructureVersion> {
    return this.send("", { method: "PUT", body, headers: { "If-Match": etag } });
  }

  add(field: FieldInput): Promise<StructureVersion> {
    return this.send("/fields", { method: "POST", body: field });
  }

  change(etag: string, name: string, field: FieldInput): Promise<StructureVersion> {
    return this.send(`/fields/${encodeURIComponent(name)}`, { method: "PUT", body: field, headers: { "If-Match": etag } });
  }

  async remove(name: string): Promise<void> {
    await this.client.json(`${this.path}/fields/${encodeURIComponent(name)}`, { method: "DELETE" });
  }

  private async send(rest: string, options: Parameters<Client["send"]>[1]): Promise<StructureVersion> {
    const response = await this.client.send(`${this.path}${rest}`, options);
    return { structure: (await response.json()) as Structure, etag: response.headers.get("ETag") ?? "*" };
  }
}
