/** Errors in a query, by the service's stable `reason`. Each continues the text "At character 7:" and uses the service's arguments. */
type Arguments = Readonly<Record<string, string>>;

export const mistakes = {
  too_long: ({ most }: Arguments) => `it is longer than ${most} characters. Search for a part of it.`,
  too_many_terms: ({ most }: Arguments) => `it has more than ${most} terms. Use fewer.`,
  too_deep: ({ most }: Arguments) => `brackets are nested more than ${most} levels deep. Use fewer levels.`,
  keyword_alone: ({ word }: Arguments) => `a term is missing next to ${word}. To search for the word itself, quote it: "${word}".`,
  quote_open: () => "the closing quote is missing.",
  colon_alone: () => 'the value after “:” or the field before it is missing. To search for a colon, quote it: ":".',
  bracket_misplaced: () => 'a bracket is not allowed here. To search for a bracket, quote it: "(".',
  bracket_open: () => "a closing bracket is missing.",
  backslash_last: () => "a character is missing after the backslash. To search for a backslash, type it twice.",
  minus_alone: () => 'a term is missing after “-”. To search for a hyphen, quote it: "-".',
  comparison_misplaced: () => 'a comparison is not allowed here. To search for the sign itself, quote it: ">".',
  misplaced: ({ text }: Arguments) => `“${text}” is not allowed here. To search for it, quote it: "…".`,
  end_missing: () => "something is missing at the end.",
  wildcard_in_word: () => '“*” inside a word requires a field: field:a*b. To search for an asterisk, quote the word: "a*b".',
  nothing_to_find: () => "there is nothing to search for. Remove it.",
  /** If there is a `meant`, a button offers that field. */
  unknown_field: ({ field, meant, known }: Arguments) => `there is no field “${field}”.${meant ? "" : ` Use one of: ${known}.`}`,
  no_wildcards: ({ field }: Arguments) => `${field} does not support “*”. Enter the whole value, or ${field}:* for any value.`,
  not_comparable: ({ field, operator }: Arguments) =>
    `${field} is text, which ${operator} cannot compare. If the value starts with that sign, quote it: ${field}:"${operator}…".`,
  not_boolean: ({ field, value }: Arguments) => `${field} is either true or false, not “${value}”.`,
  not_a_network: ({ field, value }: Arguments) => `${field}: “${value}” is not a network. Use a form like 10.0.0.0/8 or 2001:db8::/32.`,
  not_a_number: ({ field, value }: Arguments) => `${field}: “${value}” is not a number. Use a form like -1.5 or 1e6.`,
  not_a_time: ({ field, value }: Arguments) =>
    `${field}: “${value}” is not a time. Use a form like 2026-01-31 or 2026-01-31T13:45:00Z.`,
  not_a_choice: ({ field, value, known }: Arguments) => `${field} has no value “${value}”. Use one of: ${known}.`,
  not_an_address: ({ field, value }: Arguments) => `${field}: “${value}” is not an IP address.`,
  not_an_id: ({ value }: Arguments) => `“${value}” is not an event ID. Enter all 36 characters.`,
  range_backwards: () => "the range ends before it starts. Swap the two values.",
};
