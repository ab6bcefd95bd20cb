{{- define "auditlane.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "auditlane.instance" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of an object; takes {root, component}. */}}
{{- define "auditlane.labels" -}}
{{ include "auditlane.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "auditlane.selector" -}}
{{ include "auditlane.instance" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The image of a component; takes {root, target}. */}}
{{- define "auditlane.image" -}}
{{- $image := .root.Values.image -}}
{{- $name := get $image .target -}}
{{- if $image.registry }}{{ $name = printf "%s/%s" (trimSuffix "/" $image.registry) $name }}{{ end -}}
{{- $digest := get $image.digests .target -}}
{{- if $digest }}{{ printf "%s@%s" $name $digest }}{{ else }}{{ printf "%s:%s" $name (default .root.Chart.AppVersion $image.tag) }}{{ end -}}
{{- end -}}

{{/* The largest number of pods of a component; takes its values. */}}
{{- define "auditlane.most" -}}
{{- if eq .autoscaling.mode "none" }}{{ .replicas }}{{ else }}{{ .autoscaling.maxReplicas }}{{ end -}}
{{- end -}}

{{/* Insert and late parts per second of one worker, as numbers. */}}
{{- define "auditlane.insertParts" -}}
{{- divf (float64 .Values.worker.partsPerSecond) (float64 (include "auditlane.most" .Values.worker)) | printf "%.4f" -}}
{{- end -}}
{{- define "auditlane.lateParts" -}}
{{- divf (float64 .Values.worker.latePartsPerSecond) (float64 (include "auditlane.most" .Values.worker)) | printf "%.4f" -}}
{{- end -}}

{{/* Environment of a component; takes {root, account, component}. Secrets are named as files only. */}}
{{- define "auditlane.env" -}}
{{- $v := .root.Values -}}
{{- $env := dict
  "AUDITLANE_LOG_JSON" "1"
  "AUDITLANE_KAFKA_BOOTSTRAP" $v.kafka.bootstrap
  "AUDITLANE_TOPIC" $v.kafka.topic
  "AUDITLANE_DEAD_LETTER_TOPIC" $v.kafka.deadLetterTopic
  "AUDITLANE_CONSUMER_GROUP" $v.kafka.consumerGroup
  "AUDITLANE_TOPIC_PARTITIONS" ($v.kafka.partitions | int | toString)
  "AUDITLANE_TOPIC_REPLICATION_FACTOR" ($v.kafka.replicationFactor | int | toString)
  "AUDITLANE_TOPIC_RETENTION_HOURS" ($v.kafka.retentionHours | int | toString)
  "AUDITLANE_REGISTRY_URL" $v.registry.url
  "AUDITLANE_CLICKHOUSE_URL" (default $v.clickhouse.url .url)
  "AUDITLANE_CLICKHOUSE_DATABASE" $v.clickhouse.database
  "AUDITLANE_CLICKHOUSE_USER" (get $v.clickhouse.users .account)
  "AUDITLANE_PROVENANCE_KEYS_FILE" (printf "/etc/auditlane/keys/%s" $v.keys.files.provenance)
  "AUDITLANE_TRAIL_SPOOL_DIR" "/tmp/trail"
  "AUDITLANE_DATA_DIR" "/tmp/auditlane"
  "HOME" "/tmp"
-}}
{{- if $v.clickhouse.existingSecret }}{{ $_ := set $env "AUDITLANE_CLICKHOUSE_PASSWORD_FILE" "/run/secrets/auditlane/clickhouse/password" }}{{ end -}}
{{- if $v.kafka.existingSecret }}{{ $_ := set $env "AUDITLANE_KAFKA_EXTRA_FILE" "/run/secrets/auditlane/kafka/options.json" }}
{{- else if $v.kafka.extra }}{{ $_ := set $env "AUDITLANE_KAFKA_EXTRA" ($v.kafka.extra | toJson) }}{{ end -}}
{{- if $v.registry.passwordKey }}{{ $_ := set $env "AUDITLANE_REGISTRY_PASSWORD_FILE" "/run/secrets/auditlane/registry/password" }}{{ end -}}
{{- if $v.registry.tokenKey }}{{ $_ := set $env "AUDITLANE_REGISTRY_TOKEN_FILE" "/run/secrets/auditlane/registry/token" }}{{ end -}}
{{- if $v.registry.user }}{{ $_ := set $env "AUDITLANE_REGISTRY_USER" $v.registry.user }}{{ end -}}
{{- if $v.kafka.rack }}{{ $_ := set $env "AUDITLANE_KAFKA_RACK" $v.kafka.rack }}{{ end -}}
{{- if $v.ca.existingConfigMap }}
{{- $file := printf "/etc/auditlane/ca/%s" $v.ca.key -}}
{{- range tuple "AUDITLANE_CLICKHOUSE_CA" "AUDITLANE_REGISTRY_CA" }}{{ $_ := set $env . $file }}{{ end -}}
{{- if hasKey $v.settings "OIDC_ISSUER" }}{{ $_ := set $env "AUDITLANE_OIDC_CA" $file }}{{ end -}}
{{- end -}}
{{- $most := include "auditlane.most" $v.worker -}}
{{- if has .component (tuple "worker" "init") }}
{{- $_ := set $env "AUDITLANE_WORKER_PROCESSES_TOTAL" $most -}}
{{- $_ := set $env "AUDITLANE_INSERT_PARTS_PER_SECOND" (include "auditlane.insertParts" .root) -}}
{{- $_ := set $env "AUDITLANE_LATE_PARTS_PER_SECOND" (include "auditlane.lateParts" .root) -}}
{{- end -}}
{{- if eq .component "worker" }}
{{- $_ := set $env "AUDITLANE_WORKER_HOST" $v.listenAddress -}}
{{- $_ := set $env "AUDITLANE_WORKER_PORT" "8481" -}}
{{- $_ := set $env "AUDITLANE_WORKER_BUFFER_BYTES" ($v.worker.bufferBytes | int64 | toString) -}}
{{- $_ := set $env "AUDITLANE_WAIT_FOR_STORE_S" ($v.worker.waitForStoreSeconds | int | toString) -}}
{{- $_ := set $env "AUDITLANE_SHUTDOWN_TIMEOUT_S" ($v.worker.drainSeconds | int | toString) -}}
{{- end -}}
{{- if has .component (tuple "ingest" "query") }}
{{- $own := get $v .component -}}
{{- $_ := set $env "AUDITLANE_SERVE_HOST" $v.listenAddress -}}
{{- $_ := set $env "AUDITLANE_SERVE_PORT" "8480" -}}
{{- $_ := set $env "AUDITLANE_SHUTDOWN_TIMEOUT_S" ($own.drainSeconds | int | toString) -}}
{{- $_ := set $env "AUDITLANE_KEYS_FILE" (printf "/etc/auditlane/keys/%s" $v.keys.files.keys) -}}
{{- $_ := set $env "AUDITLANE_SIGNING_KEYS_FILE" (printf "/etc/auditlane/keys/%s" $v.keys.files.signing) -}}
{{- if $own.url }}{{ $_ := set $env "AUDITLANE_SERVE_URL" $own.url }}{{ end -}}
{{- if $v.trustedProxies }}{{ $_ := set $env "AUDITLANE_TRUSTED_PROXIES" ($v.trustedProxies | toString) }}{{ end -}}
{{- end -}}
{{- if and (eq .component "ingest") (gt (int64 $v.ingest.spool.bytes) 0) -}}
{{- $_ := set $env "AUDITLANE_INGEST_SPOOL_BYTES" (int64 $v.ingest.spool.bytes | toString) -}}
{{- $_ := set $env "AUDITLANE_INGEST_SPOOL_DIR" "/var/lib/auditlane/spool" -}}
{{- end -}}
{{- if eq .component "query" }}
{{- with $v.exports.s3 }}
{{- if .url }}
{{- $_ := set $env "AUDITLANE_EXPORT_URL" .url -}}
{{- if .endpoint }}{{ $_ := set $env "AUDITLANE_EXPORT_S3_ENDPOINT" .endpoint }}{{ end -}}
{{- if .region }}{{ $_ := set $env "AUDITLANE_EXPORT_S3_REGION" .region }}{{ end -}}
{{- if .accessKey }}
{{- $_ := set $env "AUDITLANE_EXPORT_S3_ACCESS_KEY" .accessKey -}}
{{- $_ := set $env "AUDITLANE_EXPORT_S3_SECRET_KEY_FILE" "/run/secrets/auditlane/exports/secret-key" -}}
{{- end -}}
{{- else }}{{ $_ := set $env "AUDITLANE_EXPORT_DIR" "/var/lib/auditlane/exports" }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $v.settings -}}
{{- $_ := set $env (printf "AUDITLANE_%s" $name) (kindIs "string" $value | ternary $value (toJson $value)) -}}
{{- end -}}
{{- range $name := keys $env | sortAlpha }}
- name: {{ $name }}
  value: {{ get $env $name | quote }}
{{- end }}
{{- if $v.kafka.rackFromPodLabel }}
- name: AUDITLANE_KAFKA_RACK
  valueFrom:
    fieldRef:
      fieldPath: {{ printf "metadata.labels['%s']" $v.kafka.rackFromPodLabel | quote }}
{{- end }}
{{- range (get $v .component | default dict).extraEnv }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end -}}

{{/* Files of a component: whole folders, never by subPath, so that changed secrets arrive. Takes {root, account, component}. */}}
{{- define "auditlane.volumeMounts" -}}
{{- $v := .root.Values }}
- {name: tmp, mountPath: /tmp}
- {name: keys, mountPath: /etc/auditlane/keys, readOnly: true}
{{- if $v.clickhouse.existingSecret }}
- {name: clickhouse, mountPath: /run/secrets/auditlane/clickhouse, readOnly: true}
{{- end }}
{{- if $v.kafka.existingSecret }}
- {name: kafka, mountPath: /run/secrets/auditlane/kafka, readOnly: true}
{{- end }}
{{- if $v.registry.existingSecret }}
- {name: registry, mountPath: /run/secrets/auditlane/registry, readOnly: true}
{{- end }}
{{- if $v.ca.existingConfigMap }}
- {name: ca, mountPath: /etc/auditlane/ca, readOnly: true}
{{- end }}
{{- if and (eq .component "ingest") (gt (int64 $v.ingest.spool.bytes) 0) }}
- {name: spool, mountPath: /var/lib/auditlane/spool}
{{- end }}
{{- if eq .component "query" }}
{{- if not $v.exports.s3.url }}
- {name: exports, mountPath: /var/lib/auditlane/exports}
{{- else if $v.exports.s3.existingSecret }}
- {name: exports, mountPath: /run/secrets/auditlane/exports, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "auditlane.volumes" -}}
{{- $v := .root.Values }}
- name: tmp
  emptyDir: {sizeLimit: 1Gi}
- name: keys
  secret:
    secretName: {{ $v.keys.existingSecret }}
    defaultMode: 0440
    items:
      {{- if has .component (tuple "ingest" "query") }}
      - {key: {{ $v.keys.files.keys }}, path: {{ $v.keys.files.keys }}}
      - {key: {{ $v.keys.files.signing }}, path: {{ $v.keys.files.signing }}}
      {{- end }}
      - {key: {{ $v.keys.files.provenance }}, path: {{ $v.keys.files.provenance }}}
{{- with $v.clickhouse.existingSecret }}
- name: clickhouse
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ get $v.clickhouse.secretKeys $.account }}, path: password}]
{{- end }}
{{- with $v.kafka.existingSecret }}
- name: kafka
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ get $v.kafka.secretKeys $.account }}, path: options.json}]
{{- end }}
{{- with $v.registry.existingSecret }}
- name: registry
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items:
      {{- with $v.registry.passwordKey }}
      - {key: {{ . }}, path: password}
      {{- end }}
      {{- with $v.registry.tokenKey }}
      - {key: {{ . }}, path: token}
      {{- end }}
{{- end }}
{{- with $v.ca.existingConfigMap }}
- name: ca
  configMap: {name: {{ . }}}
{{- end }}
{{- if and (eq .component "ingest") (gt (int64 $v.ingest.spool.bytes) 0) }}
- name: spool
  emptyDir: {sizeLimit: {{ $v.ingest.spool.sizeLimit }}}
{{- end }}
{{- if and (eq .component "query") $v.exports.s3.url }}
{{- with $v.exports.s3.existingSecret }}
- name: exports
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ $v.exports.s3.secretKey }}, path: secret-key}]
{{- end }}
{{- else if eq .component "query" }}
- name: exports
  {{- if and $v.exports.existingClaim (not .test) }}
  persistentVolumeClaim: {claimName: {{ $v.exports.existingClaim }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ $v.exports.sizeLimit }}}
  {{- end }}
{{- end }}
{{- end -}}

{{/* What every pod has: no token, no service links (they would set AUDITLANE_…_PORT), restricted security. */}}
{{- define "auditlane.pod" -}}
{{- $v := .root.Values -}}
serviceAccountName: {{ $v.serviceAccountName }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- $security := dict "runAsNonRoot" true "runAsUser" 10001 "runAsGroup" 10001 "fsGroup" 10001 "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- range $name, $value := $v.podSecurityContext }}{{ if kindIs "invalid" $value }}{{ $_ := unset $security $name }}{{ else }}{{ $_ := set $security $name $value }}{{ end }}{{ end }}
  {{- toYaml $security | nindent 2 }}
{{- with $v.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "auditlane.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "auditlane.placement" -}}
topologySpreadConstraints:
  {{- range tuple "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "auditlane.selector" $ | nindent 8 }}
  {{- end }}
{{- with .own.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "auditlane.probes" -}}
startupProbe:
  httpGet: {path: /health/live, port: http}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /health/live, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /health/ready, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* The port of a URL. */}}
{{- define "auditlane.port" -}}
{{- $url := urlParse . -}}
{{- if regexMatch ":[0-9]+$" $url.host }}{{ regexFind "[0-9]+$" $url.host }}{{ else if eq $url.scheme "https" }}443{{ else }}80{{ end -}}
{{- end -}}

{{/* Fails with a sentence for values that the schema cannot judge. */}}
{{- define "auditlane.check" -}}
{{- $v := .Values -}}
{{- $most := include "auditlane.most" $v.worker | int -}}
{{- if gt $most ($v.kafka.partitions | int) }}
{{- fail (printf "worker: up to %d workers, but the topic has %d partitions: the others would be idle. Lower worker.replicas or worker.autoscaling.maxReplicas, or raise kafka.partitions." $most ($v.kafka.partitions | int)) }}
{{- end }}
{{- $late := include "auditlane.lateParts" . | float64 -}}
{{- $burst := maxf 1.0 (mulf $late 60.0) -}}
{{- $parts := addf (include "auditlane.insertParts" . | float64) (mulf 2.0 (addf $late (divf $burst 600.0))) -}}
{{- $needed := ceil (mulf $parts 600.0 $most) | int -}}
{{- if gt $needed ($v.clickhouse.deduplicationWindow | int) }}
{{- fail (printf "clickhouse.deduplicationWindow: the workers can create %d parts in 600 s, but the table remembers %d. Lower worker.partsPerSecond or worker.latePartsPerSecond, or raise the table's window and this value." $needed ($v.clickhouse.deduplicationWindow | int)) }}
{{- end }}
{{- if lt (include "auditlane.insertParts" . | float64) 0.2 }}
{{- fail (printf "worker.partsPerSecond: %v for up to %d workers lets each insert less than once in 5 s, so that events appear late. Raise it, or lower the number of workers." $v.worker.partsPerSecond $most) }}
{{- end }}
{{- range $name := tuple "worker" "ingest" "query" }}
{{- $own := get $v $name -}}
{{- if and (ne $own.autoscaling.mode "none") (gt ($own.autoscaling.minReplicas | int) ($own.autoscaling.maxReplicas | int)) }}
{{- fail (printf "%s.autoscaling: minReplicas is above maxReplicas." $name) }}
{{- end }}
{{- $computed := list "AUDITLANE_WORKER_PROCESSES_TOTAL" "AUDITLANE_INSERT_PARTS_PER_SECOND" "AUDITLANE_LATE_PARTS_PER_SECOND" "AUDITLANE_SHUTDOWN_TIMEOUT_S" -}}
{{- range $own.extraEnv }}
{{- if has .name $computed }}{{ fail (printf "%s.extraEnv: %s follows from other values of the chart; set those." $name .name) }}{{ end }}
{{- if and (regexMatch "^AUDITLANE_.*(PASSWORD|TOKEN|KAFKA_EXTRA|SECRET_KEY)$" .name) (hasKey . "value") }}{{ fail (printf "%s.extraEnv: %s is a secret; name an existing secret instead." $name .name) }}{{ end }}
{{- end }}
{{- end }}
{{- range $name, $value := $v.settings }}
{{- if regexMatch "(PASSWORD|TOKEN|KAFKA_EXTRA|SECRET_KEY)$" $name }}{{ fail (printf "settings: %s is a secret; name an existing secret instead." $name) }}{{ end }}
{{- if has $name (list "WORKER_PROCESSES_TOTAL" "INSERT_PARTS_PER_SECOND" "LATE_PARTS_PER_SECOND" "SHUTDOWN_TIMEOUT_S") }}{{ fail (printf "settings: %s follows from other values of the chart; set those." $name) }}{{ end }}
{{- end }}
{{- if and $v.kafka.extra $v.kafka.existingSecret }}
{{- fail "kafka: set either extra or existingSecret; the secret contains all options." }}
{{- end }}
{{- range $name, $_ := $v.kafka.extra }}
{{- if regexMatch "(password|secret|\\.pem|key\\.location)" $name }}{{ fail (printf "kafka.extra: %s is a secret; put all options into kafka.existingSecret." $name) }}{{ end }}
{{- end }}
{{- if and $v.kafka.rack $v.kafka.rackFromPodLabel }}
{{- fail "kafka: set either rack or rackFromPodLabel." }}
{{- end }}
{{- if and (or $v.registry.passwordKey $v.registry.tokenKey) (not $v.registry.existingSecret) }}
{{- fail "registry.existingSecret: passwordKey or tokenKey is set, but not the secret that contains it." }}
{{- end }}
{{- if and $v.registry.passwordKey $v.registry.tokenKey }}
{{- fail "registry: set either passwordKey or tokenKey." }}
{{- end }}
{{- if and $v.registry.existingSecret (not $v.registry.passwordKey) (not $v.registry.tokenKey) }}
{{- fail "registry: existingSecret is set, but neither passwordKey nor tokenKey." }}
{{- end }}
{{- if and $v.query.enabled (gt (include "auditlane.most" $v.query | int) 1) (not $v.exports.existingClaim) (not $v.exports.s3.url) }}
{{- fail (printf "exports.existingClaim: %s replicas of query share the export jobs; set exports.s3.url, name a ReadWriteMany claim, or set query.replicas to 1." (include "auditlane.most" $v.query)) }}
{{- end }}
{{- if and $v.exports.s3.url $v.exports.existingClaim }}
{{- fail "exports: set either s3.url or existingClaim." }}
{{- end }}
{{- if ne (empty $v.exports.s3.accessKey) (empty $v.exports.s3.existingSecret) }}
{{- fail "exports.s3: accessKey and existingSecret belong together; without both, the account of the pod is used." }}
{{- end }}
{{- if and $v.query.enabled (not $v.query.url) }}
{{- fail "query.url: set the public https:// URL of the viewer and the API; links begin with it." }}
{{- end }}
{{- if and $v.ingest.ingress.enabled $v.query.ingress.enabled (eq $v.ingest.ingress.host $v.query.ingress.host) }}
{{- fail "ingest.ingress.host: must differ from query.ingress.host, since both roles serve /v1/events, with different methods." }}
{{- end }}
{{- range $name := tuple "ingest" "query" }}
{{- $own := get $v $name }}
{{- if and $own.ingress.enabled (not $own.ingress.host) }}{{ fail (printf "%s.ingress.host: is required with ingress.enabled." $name) }}{{ end }}
{{- end }}
{{- if and $v.podMonitor.enabled $v.networkPolicy.enabled (not $v.networkPolicy.monitoring) }}
{{- fail "networkPolicy.monitoring: podMonitor is enabled, but no peer may scrape; list the namespace of Prometheus." }}
{{- end }}
{{- if and $v.clickhouse.serverUrls (not $v.clickhouse.cluster) }}
{{- fail "clickhouse.cluster: serverUrls are set, but not the name of the cluster." }}
{{- end }}
{{- end -}}
