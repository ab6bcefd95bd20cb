// Reads the view `log` with ClickHouse's own Node client: node read_clickhouse.mjs URL DATABASE TENANT
import { createClient } from "@clickhouse/client";

const [url, database, tenant] = process.argv.slice(2);
const { AUDITLANE_CLICKHOUSE_USER: username, AUDITLANE_CLICKHOUSE_PASSWORD: password } = process.env;
const client = createClient({ url, database, username, password });
const result = await client.query({
  query: "SELECT event_id, action, metadata FROM log WHERE tenant_id = {tenant:String} ORDER BY kafka_offset",
  query_params: { tenant },
  format: "JSONEachRow",
});
console.log(JSON.stringify(await result.json()));
await client.close();
