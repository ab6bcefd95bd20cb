/** What the service finds wrong with a query, by its stable reason; it gives what the sentence is about. */
type About = Readonly<Record<string, string>>;

export const mistakes = {
  too_long: ({ most }: About) => `it has more than ${most} characters. Search for a part of it.`,
  too_many_terms: ({ most }: About) => `there are more than ${most} terms. Ask for less at once.`,
  too_deep: ({ most }: About) => `there are more than ${most} brackets within each other. Write it flatter.`,
  keyword_alone: ({ word }: About) => `${word} has nothing beside it. Quote it if it is a word: "${word}".`,
  quote_open: () => "the quote is not closed.",
  colon_alone: () => 'there is no value after “:”, or no name before it. Quote it if it is text: ":".',
  bracket_misplaced: () => 'a bracket does not fit here. Quote it if it is text: "(".',
  bracket_open: () => "a bracket is not closed.",
  backslash_last: () => "the backslash has nothing after it. Write it twice if it is text.",
  minus_alone: () => 'there is nothing after “-”. Quote it if it is text: "-".',
  comparison_misplaced: () => 'a comparison does not fit here. Quote it if it is text: ">".',
  misplaced: ({ text }: About) => `“${text}” does not fit here. Quote what is text: "…".`,
  end_missing: () => "something is missing at the end.",
  wildcard_in_word: () => '“*” within a word needs a field: field:a*b. Quote the word if “*” is text: "a*b".',
  nothing_to_find: () => "there is nothing to look for. Leave it out.",
  unknown_field: ({ field, meant, known }: About) =>
    `there is no field “${field}”. ${meant ? `Did you mean ${meant}?` : `There are: ${known}.`}`,
  no_wildcards: ({ field }: About) => `${field} takes no “*”. Write the whole value, or ${field}:* for any.`,
  not_comparable: ({ field, operator }: About) =>
    `${field} holds text, which ${operator} cannot compare. If the value begins with it: ${field}:"${operator}…".`,
  not_boolean: ({ field, value }: About) => `${field} is true or false, not “${value}”.`,
  not_a_network: ({ field, value }: About) => `${field}: “${value}” is no network. Write it as 10.0.0.0/8 or 2001:db8::/32.`,
  not_a_number: ({ field, value }: About) => `${field} compares numbers, and “${value}” is none. Write it as -1.5 or 1e6.`,
  not_a_time: ({ field, value }: About) => `${field}: “${value}” is no time. Write it as 2026-01-31 or 2026-01-31T13:45:00Z.`,
  not_a_choice: ({ field, value, known }: About) => `${field} is never “${value}”. There are: ${known}.`,
  not_an_address: ({ field, value }: About) => `${field}: “${value}” is no IP address.`,
  not_an_id: ({ value }: About) => `“${value}” is no event id. Write all of its 36 characters.`,
  range_backwards: () => "the range ends before it begins. Swap its ends.",
};
