/** Suggests how to complete the query at the caret, with fields, values from the log, operators and wildcards. */
import type { ReactiveControllerHost } from "lit";

import type { QueryParams } from "../../api/client.js";
import { Problem } from "../../api/problem.js";
import type { Count, EventPage, Facet } from "../../api/types.js";
import { RequestController } from "../../elements/request-controller.js";
import * as edit from "../../model/completion.js";
import type { CaretTerm, Edit } from "../../model/completion.js";
import { containing } from "../../model/containing.js";
import { dayTerm } from "../../model/day-term.js";
import { visible } from "../../model/format/text.js";
import { findQueryField, isCountable, matchingFields, offeredFields, type QueryField, queryFields } from "../../model/query-fields.js";
import { formatTerm, wildcardTerm, withTerm } from "../../model/query.js";
import { addDays, localTimeOf } from "../../model/zone.js";
import { formatNumber, valueLabel } from "../describe.js";
import type { ViewerState } from "../viewer-state.js";
import { narrowingTerm, withQuery } from "./narrowing.js";

export interface Suggestion {
  readonly group: string;
  readonly label: string;
  /** How the suggestion is written in the query, if that differs from the label. */
  readonly note: string;
  readonly events: number | null;
  readonly edit: Edit;
  /** Whether the term is still incomplete, so that the list stays open. */
  readonly open: boolean;
  /** Whether it finds several values. */
  readonly common?: boolean;
}

const MAX_VALUES = 100;
const MAX_SUGGESTIONS = 20;
const MAX_MATCHES = 10; // maximum number of matches suggested for a plain word in one field
const SAMPLE_EVENTS = 50; // number of events sampled for metadata keys to suggest
const DEBOUNCE_MS = 120;

export class Suggestions {
  private readonly values: RequestController<Facet>;
  private readonly actions: RequestController<Facet>;
  private readonly actors: RequestController<Facet>;
  private readonly sample: RequestController<EventPage>;
  /** Fields that have more values than the service sends, so that the service has to search them. */
  private readonly truncated = new Set<string>();

  constructor(
    host: ReactiveControllerHost,
    private readonly viewer: () => ViewerState,
  ) {
    this.values = new RequestController<Facet>(host);
    this.actions = new RequestController<Facet>(host);
    this.actors = new RequestController<Facet>(host);
    this.sample = new RequestController<EventPage>(host);
  }

  /** Returns the suggestions that are available so far, and requests missing values. */
  at(text: string, caret: number): Suggestion[] {
    const caretTerm = edit.caretTermAt(text, caret);
    if (!caretTerm) return [];
    if (caretTerm.kind === "value") return this.valuesAt(text, caretTerm);
    const fields = this.fieldsAt(text, caretTerm);
    if (caretTerm.typed.length < 2) return fields;
    const named = this.namedByPhrase(text, caret);
    const matches = this.matchesAt(text, caretTerm, named);
    const typed = caretTerm.typed.toLowerCase();
    const begun = fields.some(({ label, note }) => [label, note].some((name) => name.toLowerCase().startsWith(typed)));
    // A text that several values have in common is a more likely choice than a field with the text within its name.
    return !begun && matches[0]?.common ? [...named, ...matches, ...fields] : [...fields.slice(0, 8), ...named, ...matches];
  }

  /** Aborts all requests for values. */
  reset(): void {
    for (const request of [this.values, this.actions, this.actors]) request.reset();
    this.truncated.clear();
  }

  private fieldsAt(text: string, caretTerm: CaretTerm): Suggestion[] {
    const { search } = this.viewer().text;
    return matchingFields([...offeredFields(this.fields), ...this.metadataKeys()], caretTerm.typed).map((field) => ({
      group: field.parameter.startsWith("metadata.") ? search.box.metadata : search.box.fields,
      label: field.name,
      note: field.parameter === field.name ? "" : field.parameter,
      events: null,
      edit: edit.withField(text, caretTerm, field.parameter),
      open: true,
    }));
  }

  /** Suggests the actions whose name or label contains the words before the caret. As many words as possible are used. */
  private namedByPhrase(text: string, caret: number): Suggestion[] {
    for (const phrase of edit.caretPhrasesAt(text, caret)) {
      const rows = this.knownActions(phrase.typed, [], (name) => edit.withTermAt(text, phrase, formatTerm("action", name)));
      if (rows.length) return rows;
    }
    return [];
  }

  /** Suggests actions by name or label, except those in the log, which are `listed` with their counts. */
  private knownActions(typed: string, listed: readonly Count[], editFor: (name: string) => Edit): Suggestion[] {
    const known = this.viewer().actions.matching(typed).filter(({ name }) => !listed.some(({ value }) => value === name));
    return known.slice(0, MAX_MATCHES).map(({ name, label }) => ({
      group: this.viewer().text.search.box.known,
      label,
      note: name,
      events: null,
      edit: editFor(name),
      open: false,
    }));
  }

  /** Suggests actions and actors that contain a plain word, except actions already `named` by more words. */
  private matchesAt(text: string, caretTerm: CaretTerm, named: readonly Suggestion[]): Suggestion[] {
    const typed = caretTerm.typed.toLowerCase();
    const { actions, text: words } = this.viewer();
    const { box } = words.search;
    const labelOf = (field: string, value: string | null): string => (field === "action" && actions.labelOf(value ?? "")) || "";
    const rows = (["action", "actor"] as const).flatMap((field) => {
      const request = field === "action" ? this.actions : this.actors;
      this.count(request, field, text, caretTerm, caretTerm.typed);
      const fieldName = findQueryField(this.fields, field).name;
      const matches = ({ value }: Count): boolean =>
        value !== null && (value.toLowerCase().includes(typed) || (labelOf(field, value) !== "" && actions.matches(value, typed)));
      const hits = (request.result?.data ?? []).filter((count) => matches(count) && !named.some(({ note }) => note === count.value));
      const row = (label: string, note: string, events: number | null, term: string): Suggestion => ({
        group: box.found,
        label,
        note,
        events,
        edit: edit.withTermAt(text, caretTerm, term),
        open: false,
      });
      const data = request.result?.data ?? [];
      const common = field === "action" ? containing(data, caretTerm.typed, data.length < MAX_VALUES) : null;
      const sign = caretTerm.negated ? "-" : "";
      const begins = hits.some(({ value }) => value?.toLowerCase().startsWith(typed)) && !caretTerm.typed.includes("*");
      const prefix = sign + wildcardTerm(field, caretTerm.typed, "first");
      const within = (text: string): string => words.search.terms.within(fieldName, text, caretTerm.negated);
      const values = common?.values ? box.actions(common.values, formatNumber(this.viewer(), common.values)) : "";
      return [
        ...(common ? [{ ...row(within(common.text), values, common.events, sign + wildcardTerm(field, common.text, "within")), common: true }] : []),
        ...(begins ? [row(box.begins(caretTerm.typed), fieldName, null, prefix)] : []),
        ...hits.slice(0, MAX_MATCHES).map(({ value, events }) => {
          const shown = visible(value ?? "");
          const label = labelOf(field, value);
          return row(label || shown, label ? shown : fieldName, events, formatTerm(field, value, caretTerm.negated));
        }),
      ];
    });
    if (named.length) return rows;
    const term = (name: string): Edit => edit.withTermAt(text, caretTerm, formatTerm("action", name, caretTerm.negated));
    return [...rows, ...this.knownActions(caretTerm.typed, this.actions.result?.data ?? [], term)];
  }

  private valuesAt(text: string, caretTerm: CaretTerm): Suggestion[] {
    const field = findQueryField([...this.fields, ...this.metadataKeys()], caretTerm.field);
    const group = this.viewer().text.search.box.valuesOf(field.name);
    if (field.kind === "time") return [...this.dayRows(text, caretTerm, group), ...this.operatorRows(text, caretTerm, field)];
    if (!isCountable(field.kind)) return this.operatorRows(text, caretTerm, field);
    this.count(this.values, caretTerm.field, text, caretTerm, field.kind === "text" ? caretTerm.typed : "");
    const typed = caretTerm.typed.toLowerCase();
    const found = this.values.result?.field === field.parameter ? this.values.result.data : [];
    const isAction = field.parameter === "action";
    const matches = (value: string, label: string): boolean =>
      `${value}\n${label}`.toLowerCase().includes(typed) || (isAction && this.viewer().actions.matches(value, typed));
    const rows = found
      .map(({ value, events }) => ({ value, events, label: value === null ? "" : valueLabel(this.viewer(), field.parameter, value) }))
      .filter(({ value, label }) => (value === null ? !typed && !caretTerm.operator : matches(value, label)))
      .slice(0, MAX_SUGGESTIONS)
      .map(({ value, events, label }) => ({
        group,
        label: value === null ? this.viewer().text.search.box.none : label,
        note: value === null || label.toLowerCase() === value.toLowerCase() ? "" : visible(value),
        events,
        edit: edit.withValue(text, caretTerm, value),
        open: false,
      }));
    const isPlain = isAction && !caretTerm.typed.includes("*");
    const known = isPlain ? this.knownActions(caretTerm.typed, found, (name) => edit.withValue(text, caretTerm, name)) : [];
    return [...rows, ...known.slice(0, MAX_SUGGESTIONS - rows.length), ...this.operatorRows(text, caretTerm, field)];
  }

  private dayRows(text: string, caretTerm: CaretTerm, group: string): Suggestion[] {
    const { box } = this.viewer().text.search;
    const { asOf, zone } = this.viewer();
    const { day } = localTimeOf(asOf, zone);
    const rows: [string, string][] = [[day, box.today], [addDays(day, -1), box.yesterday]];
    return rows
      .filter(([value]) => value.startsWith(caretTerm.typed))
      .map(([value, note]) => ({
        group,
        label: value,
        note,
        events: null,
        edit: edit.withTermAt(text, caretTerm, dayTerm(caretTerm.field, caretTerm.operator, value, zone, caretTerm.negated)),
        open: false,
      }));
  }

  private operatorRows(text: string, caretTerm: CaretTerm, { kind }: QueryField): Suggestion[] {
    const { box } = this.viewer().text.search;
    const row = (label: string, note: string, edit: Edit, open = false): Suggestion => {
      return { group: box.forms, label, note, events: null, edit, open };
    };
    if (caretTerm.operator) return [];
    if (caretTerm.typed) {
      if (kind !== "text" || caretTerm.typed.includes("*")) return [];
      const raw = wildcardTerm("", caretTerm.typed, "first").slice(1);
      const within = wildcardTerm("", caretTerm.typed, "within").slice(1);
      return [
        row(box.begins(caretTerm.typed), raw, edit.withRaw(text, caretTerm, raw)),
        row(box.contains(caretTerm.typed), within, edit.withRaw(text, caretTerm, within)),
      ];
    }
    const [least, most] = kind === "time" ? [box.after, box.before] : [box.least, box.most];
    const ordered = ["level", "number", "time"].includes(kind)
      ? [row(least, ">=", edit.withOperator(text, caretTerm, ">="), true), row(most, "<=", edit.withOperator(text, caretTerm, "<="), true)]
      : [];
    return [...ordered, row(box.has, "*", edit.withRaw(text, caretTerm, "*")), row(box.lacks, "-…:*", edit.withValue(text, caretTerm, null))];
  }

  /** Requests the values of a field. `typed` narrows them if there are more than the service sends. */
  private count(request: RequestController<Facet>, field: string, text: string, caretTerm: CaretTerm, typed: string): void {
    const viewer = this.viewer();
    if (request.result?.field === field && request.result.data.length >= MAX_VALUES) this.truncated.add(field);
    const narrowed = this.truncated.has(field) ? typed : "";
    const restQuery = edit.withoutTermAt(text, caretTerm);
    const fetchFacet = (query: string, signal: AbortSignal): Promise<Facet> => {
      const narrow = narrowed ? withTerm(query, narrowingTerm(viewer, field, narrowed)) : query;
      const params: QueryParams = [...withQuery(viewer.filter(), narrow), ["field", field], ["limit", String(MAX_VALUES)]];
      return viewer.client.json<Facet>("/v1/facets", { params, signal });
    };
    request.request(
      JSON.stringify([field, restQuery, narrowed, withQuery(viewer.filter(), ""), viewer.refreshCount]),
      async (signal) => {
        try {
          return await fetchFacet(restQuery, signal);
        } catch (cause) {
          if (Problem.from(cause).code !== "FILTER_INVALID" || !restQuery) throw cause;
          return await fetchFacet("", signal); // the rest of the query may be incomplete
        }
      },
      { debounceMs: DEBOUNCE_MS },
    );
  }

  private get fields(): QueryField[] {
    const viewer = this.viewer();
    return queryFields(viewer.fields, viewer.text.search.fields);
  }

  /** Returns the metadata keys in a sample of the view's events. */
  metadataKeys(): QueryField[] {
    const viewer = this.viewer();
    const params: QueryParams = [...withQuery(viewer.filter(), ""), ["limit", String(SAMPLE_EVENTS)]];
    this.sample.request(JSON.stringify([viewer.view.range, viewer.refreshCount]), (signal) =>
      viewer.client.json<EventPage>("/v1/events", { params, signal }),
    );
    const keys = new Set((this.sample.result?.data ?? []).flatMap((event) => Object.keys(event.metadata)));
    return [...keys].sort().map((key) => ({ parameter: `metadata.${key}`, name: key, kind: "text", filterable: true }));
  }
}
