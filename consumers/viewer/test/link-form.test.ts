import { describe, expect, it } from "vitest";

import { invalidLinkPlaceholder, validateLink } from "../src/model/link-form.js";

const addressError = (address: string) => validateLink({ resource: "document", address }, []).address;

describe("the form of a link", () => {
  it("needs a type without a link, and an address", () => {
    expect(validateLink({ resource: " ", address: "" }, [])).toEqual({ resource: "needed", address: "needed" });
    expect(validateLink({ resource: " document ", address: "https://a.example/{resource_id}" }, ["document"])).toEqual({ resource: "taken" });
  });

  it("accepts an https address with the resource's ID", () => {
    expect(addressError(" https://app.example:8443/{tenant_id}/d?id={resource_id}#{resource} ")).toBeUndefined();
  });

  it.each([
    ["http://app.example/{resource_id}", "https"],
    ["https:///{resource_id}", "https"],
    ["https://me:secret@app.example/{resource_id}", "https"],
    ["https://app.example:port/{resource_id}", "https"],
    ["https://{tenant_id}.example/{resource_id}", "host"],
    ["https://app.example/a b/{resource_id}", "space"],
    ["https://app.example\\{resource_id}", "space"],
    ["https://app.example/{id}", "placeholder"],
    ["https://app.example/{resource_id}}", "placeholder"],
    ["https://app.example/documents", "idNeeded"],
  ])("rejects %s", (address, error) => expect(addressError(address)).toBe(error));

  it("names the placeholder that is unknown", () => {
    expect(["{resource_id}{id}", "a}", "{resource}"].map(invalidLinkPlaceholder)).toEqual(["{id}", "}", ""]);
  });
});
