import type { Texts } from "../en/index.js";

export const mistakes: Texts["mistakes"] = {
  too_long: ({ most }) => `Sie hat mehr als ${most} Zeichen. Suchen Sie nach einem Teil davon.`,
  too_many_terms: ({ most }) => `Es sind mehr als ${most} Begriffe. Fragen Sie nach weniger auf einmal.`,
  too_deep: ({ most }) => `Es stehen mehr als ${most} Klammern ineinander. Schreiben Sie es flacher.`,
  keyword_alone: ({ word }) => `Neben ${word} steht nichts. Ist es ein Wort, setzen Sie es in Anführungszeichen: "${word}".`,
  quote_open: () => "Das Anführungszeichen wird nicht geschlossen.",
  colon_alone: () => 'Nach „:“ fehlt ein Wert oder davor ein Name. Ist es Text, setzen Sie es in Anführungszeichen: ":".',
  bracket_misplaced: () => 'Eine Klammer passt hier nicht. Ist sie Text, setzen Sie sie in Anführungszeichen: "(".',
  bracket_open: () => "Eine Klammer wird nicht geschlossen.",
  backslash_last: () => "Nach dem umgekehrten Schrägstrich steht nichts. Ist er Text, schreiben Sie ihn zweimal.",
  minus_alone: () => 'Nach „-“ steht nichts. Ist es Text, setzen Sie es in Anführungszeichen: "-".',
  comparison_misplaced: () => 'Ein Vergleich passt hier nicht. Ist es Text, setzen Sie ihn in Anführungszeichen: ">".',
  misplaced: ({ text }) => `„${text}“ passt hier nicht. Setzen Sie in Anführungszeichen, was Text ist: "…".`,
  end_missing: () => "Am Ende fehlt etwas.",
  wildcard_in_word: () =>
    '„*“ in einem Wort braucht ein Feld: field:a*b. Ist es Text, setzen Sie das Wort in Anführungszeichen: "a*b".',
  nothing_to_find: () => "Hier steht nichts, wonach gesucht werden kann. Lassen Sie es weg.",
  unknown_field: ({ field, meant, known }) =>
    `Ein Feld „${field}“ gibt es nicht. ${meant ? `Meinten Sie ${meant}?` : `Es gibt: ${known}.`}`,
  no_wildcards: ({ field }) => `${field} kennt kein „*“. Schreiben Sie den ganzen Wert, oder ${field}:* für irgendeinen.`,
  not_comparable: ({ field, operator }) =>
    `${field} ist Text, den ${operator} nicht vergleichen kann. Beginnt der Wert damit: ${field}:"${operator}…".`,
  not_boolean: ({ field, value }) => `${field} ist true oder false, nicht „${value}“.`,
  not_a_network: ({ field, value }) => `${field}: „${value}“ ist kein Netz. Schreiben Sie es als 10.0.0.0/8 oder 2001:db8::/32.`,
  not_a_number: ({ field, value }) => `${field} vergleicht Zahlen, und „${value}“ ist keine. Schreiben Sie sie als -1.5 oder 1e6.`,
  not_a_time: ({ field, value }) =>
    `${field}: „${value}“ ist keine Zeit. Schreiben Sie sie als 2026-01-31 oder 2026-01-31T13:45:00Z.`,
  not_a_choice: ({ field, value, known }) => `${field} ist nie „${value}“. Es gibt: ${known}.`,
  not_an_address: ({ field, value }) => `${field}: „${value}“ ist keine IP-Adresse.`,
  not_an_id: ({ value }) => `„${value}“ ist keine Kennung eines Ereignisses. Schreiben Sie alle 36 Zeichen.`,
  range_backwards: () => "Der Bereich endet, bevor er beginnt. Vertauschen Sie seine Enden.",
};
