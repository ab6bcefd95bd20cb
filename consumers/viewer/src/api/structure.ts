/** The data structure's requests: of a tenant, or of the environment. What is saved names the state that was seen. */
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
}

export interface Field extends ShownField {
  /** How it is shown when this scope says nothing of it; null for a field of the scope's own. */
  inherited: FieldView | null;
}

export interface Structure extends ShownStructure {
  /** The switch when this scope's own is null. */
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
  /** Events that are written with the base event are refused. */
  exclusive: boolean;
  fields: ContractField[];
}

export interface RevisionChange {
  deed: "added" | "changed" | "removed" | "restored" | "reset" | "switched";
  /** Null for the switch. */
  field: string | null;
  /** What was and what is in effect, by attribute. */
  values: Record<string, [unknown, unknown]>;
}

export interface Revision {
  revision: number;
  changedBy: string;
  changedAt: string | null;
  changes: RevisionChange[];
  /** When fields moved: the names of all that are shown, as they stood and as they stand. */
  sequence: [string[], string[]] | null;
  /** What the named fields were called from then on. */
  labels: Record<string, string>;
}

export interface HistoryPage {
  data: Revision[];
  /** `before` of the next page; null at the end. */
  next: number | null;
}

/** What a field is added or changed with. */
export interface FieldInput extends Partial<FieldView> {
  name?: string;
  type?: FieldType;
  default?: unknown;
  rules?: Rules;
  exclusive?: boolean;
}

/** A structure, and the mark by which the service knows whether it is still that. */
export interface StructureVersion {
  structure: Structure;
  etag: string;
}

/** Everything rejects with Problem. `tenant` null is the environment. */
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

  /** Revisions below `before`, newest first. */
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

  private async send(rest: string, asked: Parameters<Client["send"]>[1]): Promise<StructureVersion> {
    const answer = await this.client.send(`${this.path}${rest}`, asked);
    return { structure: (await answer.json()) as Structure, etag: answer.headers.get("ETag") ?? "*" };
  }
}
