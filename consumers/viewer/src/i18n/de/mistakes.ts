import type { Texts } from "../en/index.js";

export const mistakes: Texts["mistakes"] = {
  too_long: ({ most }) => `Die Suche ist länger als ${most} Zeichen. Suchen Sie nach einem Teil davon.`,
  too_many_terms: ({ most }) => `Die Suche enthält mehr als ${most} Begriffe. Verwenden Sie weniger.`,
  too_deep: ({ most }) => `Klammern sind mehr als ${most} Ebenen tief verschachtelt. Verwenden Sie weniger Ebenen.`,
  keyword_alone: ({ word }) =>
    `Neben ${word} fehlt ein Begriff. Um nach dem Wort selbst zu suchen, setzen Sie es in Anführungszeichen: "${word}".`,
  quote_open: () => "Das schließende Anführungszeichen fehlt.",
  colon_alone: () =>
    'Nach „:“ fehlt der Wert oder davor das Feld. Um nach einem Doppelpunkt zu suchen, setzen Sie ihn in Anführungszeichen: ":".',
  bracket_misplaced: () =>
    'Eine Klammer ist hier nicht zulässig. Um nach einer Klammer zu suchen, setzen Sie sie in Anführungszeichen: "(".',
  bracket_open: () => "Eine schließende Klammer fehlt.",
  backslash_last: () =>
    "Nach dem Backslash fehlt ein Zeichen. Um nach einem Backslash zu suchen, geben Sie ihn doppelt ein.",
  minus_alone: () => 'Nach „-“ fehlt ein Begriff. Um nach einem Bindestrich zu suchen, setzen Sie ihn in Anführungszeichen: "-".',
  comparison_misplaced: () =>
    'Ein Vergleich ist hier nicht zulässig. Um nach dem Zeichen selbst zu suchen, setzen Sie es in Anführungszeichen: ">".',
  misplaced: ({ text }) => `„${text}“ ist hier nicht zulässig. Um danach zu suchen, setzen Sie es in Anführungszeichen: "…".`,
  end_missing: () => "Am Ende fehlt etwas.",
  wildcard_in_word: () =>
    '„*“ in einem Wort erfordert ein Feld: Feld:a*b. Um nach einem Sternchen zu suchen, setzen Sie das Wort in Anführungszeichen: "a*b".',
  nothing_to_find: () => "Hier steht nichts, wonach gesucht werden kann. Entfernen Sie es.",
  unknown_field: ({ field, meant, known }) => `Ein Feld „${field}“ gibt es nicht.${meant ? "" : ` Verwenden Sie eines der folgenden: ${known}.`}`,
  no_wildcards: ({ field }) =>
    `${field} unterstützt „*“ nicht. Geben Sie den ganzen Wert ein oder ${field}:* für einen beliebigen Wert.`,
  not_comparable: ({ field, operator }) =>
    `${field} ist Text, den ${operator} nicht vergleichen kann. Beginnt der Wert mit diesem Zeichen, setzen Sie ihn in Anführungszeichen: ${field}:"${operator}…".`,
  not_boolean: ({ field, value }) => `${field} ist entweder true oder false, nicht „${value}“.`,
  not_a_network: ({ field, value }) => `${field}: „${value}“ ist kein Netz. Gültig ist zum Beispiel 10.0.0.0/8 oder 2001:db8::/32.`,
  not_a_number: ({ field, value }) => `${field}: „${value}“ ist keine Zahl. Gültig ist zum Beispiel -1.5 oder 1e6.`,
  not_a_time: ({ field, value }) =>
    `${field}: „${value}“ ist keine Zeitangabe. Gültig ist zum Beispiel 2026-01-31 oder 2026-01-31T13:45:00Z.`,
  not_a_choice: ({ field, value, known }) => `${field} hat keinen Wert „${value}“. Verwenden Sie einen der folgenden: ${known}.`,
  not_an_address: ({ field, value }) => `${field}: „${value}“ ist keine IP-Adresse.`,
  not_an_id: ({ value }) => `„${value}“ ist keine Ereignis-ID. Geben Sie alle 36 Zeichen ein.`,
  range_backwards: () => "Der Bereich endet, bevor er beginnt. Vertauschen Sie die beiden Werte.",
};
