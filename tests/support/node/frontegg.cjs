// Calls Frontegg's own Node client: node frontegg.cjs PACKAGE, with [[what, ...arguments], …] on stdin.
// Prints what each call gave: {"value": …} or {"error": message, "status": the HTTP status}.
const { readFileSync } = require("node:fs");
const { AuditsClient } = require(process.argv[2]);

const client = new AuditsClient();
const ways = {
  init: (id, secret) => client.init(id, secret),
  send: (audit) => client.sendAudit({ time: Date(), ...audit }), // as their README has it
  read: (params) => client.getAudits(params),
  stats: (params) => client.getAuditsStats(params),
  metadata: () => client.getAuditsMetadata(),
  setMetadata: (document) => client.setAuditsMetadata(document),
  csv: (params, properties) => client.exportCsv(params, properties),
  pdf: (params, properties) => client.exportPdf(params, properties),
};

(async () => {
  const results = [];
  for (const [what, ...given] of JSON.parse(readFileSync(0, "utf8"))) {
    try {
      results.push({ value: (await ways[what](...given)) ?? null });
    } catch (error) {
      results.push({ error: String(error.message ?? error), status: error.response?.status ?? null });
    }
  }
  // Their timer for the next token would keep the process for a day.
  process.stdout.write("\n" + JSON.stringify(results), () => process.exit(0));
})();
