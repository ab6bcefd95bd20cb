import { describe, expect, it } from "vitest";

import { exactTerms, replaceTerm, suggestNearMiss } from "../src/model/near-miss.js";

const text = (): boolean => true;
const counts = (...values: (string | null)[]) => values.map((value, index) => ({ value, events: 10 - index }));

describe("exact terms", () => {
  it.each([
    ["action:delete*", ["action:delete*"]],
    ['action:"log in" -resource:x ip:* jane', ['action:"log in"']],
    ["action:a OR resource:*b*", ["action:a", "resource:*b*"]],
    ["severity:>=high action:17 action:*", []],
    ["(action:a)", []],
  ])("%s", (query, terms) => {
    expect(exactTerms(query, text).map((one) => one.text)).toEqual(terms);
  });

  it("are texts only, and are probed with a plain word", () => {
    expect(exactTerms("outcome:won", () => false)).toEqual([]);
    const [term] = exactTerms(String.raw`jane action:x*\*del\"ete OR ip:*`, text);
    expect(term?.probeQuery).toBe(String.raw`jane "*del\"ete" OR ip:*`);
    expect(term?.pieces).toEqual(["x", "*", '*del"ete']);
  });
});

describe("a near miss", () => {
  const of = (query: string, ...values: (string | null)[]) => suggestNearMiss(exactTerms(query, text)[0]!, counts(...values));

  it.each([
    ["action:delete*", ["undelete", "DeleteUser", "DeleteRole", "DELETE", null], { text: "action:Delete*", events: 17 }],
    ["action:*.DELETED", ["project.deleted"], { text: String.raw`action:*.deleted`, events: 10 }],
    ["action:deleteuser", ["DeleteUsers", "DeleteUser"], { text: "action:DeleteUser", events: 9 }],
    ['action:"log in"', ["Log In"], { text: 'action:"Log In"', events: 10 }],
    [String.raw`action:log\ in*`, ["Log In twice"], { text: String.raw`action:Log\ In*`, events: 10 }],
    ["action:straße*", ["Straße 1"], { text: "action:Straße*", events: 10 }],
    ["action:delete*", ["undelete", "remove", null], { text: "action:*delete*", events: 10 }],
    ["actor:jane", ["Mary Jane", "Jane Doe", "Jane Roe", "JANET"], { text: "actor:Jane*", events: 17 }],
    ["actor:doe", ["Mary Jane", "Jane Doe"], { text: "actor:*Doe*", events: 9 }],
    ["actor:jane*", ["Mary Jane"], { text: "actor:*Jane*", events: 10 }],
    ["action:delete*", ["remove", null], null],
    ["action:a.b*", ["AxB"], null],
    ["action:*a*b*c", ["xAbCC", "AcB"], { text: "action:*A*b*C", events: 10 }],
    ["action:ab*ba", ["ABA", "AB-BA"], { text: "action:AB*BA", events: 9 }],
    [`action:${"*a".repeat(40)}*b`, ["A".repeat(4_000)], null], // a single expression would backtrack forever
  ])("%s among %j", (query, values, found) => {
    expect(of(query, ...values)).toEqual(found);
  });

  it("replaces the term", () => {
    expect(replaceTerm("jane action:d* OR action:d* x:y", "action:d*", "action:D*")).toBe("jane action:D* OR action:D* x:y");
  });
});
