/** Checks at compile time that the package's types describe the elements' properties, with the same types. */
import type { LitElement } from "lit";

import type { AuditEvent as SourceEvent, ShownStructure } from "../src/api/types.js";
import type { Problem as SourceProblem } from "../src/api/problem.js";
import type { AuditlaneSettings as Settings } from "../src/settings/auditlane-settings.js";
import type { AuditlaneViewer as Viewer, OpenDetail, QueryDetail } from "../src/viewer/auditlane-viewer.js";
import type * as Public from "../types/elements.js";

type Own<E> = Omit<E, keyof HTMLElement>;
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Flat<T> = { [Name in keyof T]: T[Name] };

export const agreement: [
  Equal<Flat<Pick<Viewer, keyof Own<Public.AuditlaneViewer>>>, Flat<Own<Public.AuditlaneViewer>>>,
  Equal<Exclude<keyof Viewer, keyof LitElement | keyof Public.AuditlaneViewer>, never>,
  Equal<Flat<Pick<Settings, keyof Own<Public.AuditlaneSettings>>>, Flat<Own<Public.AuditlaneSettings>>>,
  Equal<SourceEvent, Public.AuditEvent>,
  Equal<Pick<SourceProblem, keyof Public.Problem>, Pick<Public.Problem, keyof Public.Problem>>,
  Equal<OpenDetail, { event: SourceEvent }>,
  Equal<QueryDetail, Public.QueryDetail>,
  Equal<Pick<ShownStructure, keyof Public.SavedDetail>, Flat<Public.SavedDetail>>,
] = [true, true, true, true, true, true, true, true];
