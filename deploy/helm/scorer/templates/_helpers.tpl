{{- define "scorer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "scorer.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "scorer.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "scorer.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What selects a component's pods: never changes between versions. (dict "root" $ "component" "worker") */ -}}
{{- define "scorer.selector" -}}
app.kubernetes.io/name: {{ include "scorer.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "scorer.labels" -}}
{{ include "scorer.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "scorer.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "scorer.saslSecret" -}}
{{- default .root.Values.kafka.sasl.existingSecret (index .root.Values .component).saslSecret -}}
{{- end -}}

{{- define "scorer.sasl" -}}
{{- if hasPrefix "sasl_" .Values.kafka.securityProtocol }}true{{ end -}}
{{- end -}}

{{- define "scorer.tls" -}}
{{- if hasSuffix "ssl" .Values.kafka.securityProtocol }}true{{ end -}}
{{- end -}}

{{- /* Settings of every component. Secrets are files, named here and mounted by scorer.secrets. */ -}}
{{- define "scorer.env" -}}
{{- $kafka := .root.Values.kafka -}}
- name: SCORER_BOOTSTRAP
  value: {{ required "kafka.bootstrap is needed: Kafka's host:port" $kafka.bootstrap | quote }}
- name: SCORER_APP_ID
  value: {{ $kafka.appId | quote }}
{{- with $kafka.topicPrefix }}
- name: SCORER_TOPIC_PREFIX
  value: {{ . | quote }}
{{- end }}
{{- if has .component (list "worker" "collector") }}
- name: SCORER_LEAD_SECRET_FILE
  value: /run/scorer/lead-secret
{{- end }}
- name: SCORER_LOG_FORMAT
  value: {{ .root.Values.logs.format | quote }}
- name: SCORER_LOG_LEVEL
  value: {{ .root.Values.logs.level | quote }}
- name: SCORER_TRACING
  value: {{ .root.Values.tracing | quote }}
- name: SCORER_KAFKA_SECURITY_PROTOCOL
  value: {{ $kafka.securityProtocol | quote }}
{{- if include "scorer.sasl" .root }}
- name: SCORER_KAFKA_SASL_MECHANISM
  value: {{ $kafka.sasl.mechanism | quote }}
- name: SCORER_KAFKA_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ required "kafka.sasl.existingSecret is needed with this securityProtocol" (include "scorer.saslSecret" .) | quote }}
      key: {{ $kafka.sasl.usernameKey | quote }}
- name: SCORER_KAFKA_PASSWORD_FILE
  value: /run/scorer/kafka-password
{{- end }}
{{- if include "scorer.tls" .root }}
{{- if $kafka.tls.caSecret }}
- name: SCORER_KAFKA_CA_FILE
  value: /run/scorer/kafka-ca.crt
{{- end }}
{{- if $kafka.tls.clientSecret }}
- name: SCORER_KAFKA_CERT_FILE
  value: /run/scorer/kafka-tls.crt
- name: SCORER_KAFKA_KEY_FILE
  value: /run/scorer/kafka-tls.key
{{- with $kafka.tls.keyPasswordKey }}
- name: SCORER_KAFKA_KEY_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $kafka.tls.clientSecret | quote }}
      key: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := .root.Values.settings }}
- name: SCORER_{{ upper $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end -}}

{{- /* A volume with the component's secrets as files. Who makes no lead ids has not their key. */ -}}
{{- define "scorer.secrets" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $makes := has .component (list "worker" "collector") -}}
name: secrets
{{- if not (or $makes (include "scorer.sasl" .root) (and (include "scorer.tls" .root) (or $kafka.tls.caSecret $kafka.tls.clientSecret))) }}
emptyDir: {}
{{- else }}
projected:
  defaultMode: 0440
  sources:
    {{- if $makes }}
    - secret:
        name: {{ required "leadSecret.existingSecret is needed: the key that lead ids are made with" .root.Values.leadSecret.existingSecret | quote }}
        items:
          - key: {{ .root.Values.leadSecret.key | quote }}
            path: lead-secret
    {{- end }}
    {{- if include "scorer.sasl" .root }}
    - secret:
        name: {{ include "scorer.saslSecret" . | quote }}
        items:
          - key: {{ $kafka.sasl.passwordKey | quote }}
            path: kafka-password
    {{- end }}
    {{- if include "scorer.tls" .root }}
    {{- with $kafka.tls.caSecret }}
    - secret:
        name: {{ . | quote }}
        items:
          - key: {{ $kafka.tls.caKey | quote }}
            path: kafka-ca.crt
    {{- end }}
    {{- with $kafka.tls.clientSecret }}
    - secret:
        name: {{ . | quote }}
        items:
          - key: {{ $kafka.tls.certKey | quote }}
            path: kafka-tls.crt
          - key: {{ $kafka.tls.keyKey | quote }}
            path: kafka-tls.key
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}

{{- /* What every pod has: nobody in particular, no token, and no variables made of services' names, which could
       be taken for settings (SCORER_COLLECTOR_PORT). */ -}}
{{- define "scorer.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "scorer.container" -}}
image: {{ include "scorer.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "scorer.spread" -}}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "scorer.selector" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{- define "scorer.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Rules of a network policy: names, and Kafka. */ -}}
{{- define "scorer.egress" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
- ports:
    {{- $ports := .Values.networkPolicy.kafkaPorts }}
    {{- if not $ports }}
    {{- range splitList "," .Values.kafka.bootstrap }}
    {{- $ports = append $ports (. | trim | splitList ":" | last | int) }}
    {{- end }}
    {{- end }}
    {{- range uniq $ports }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
  {{- with .Values.networkPolicy.kafkaPeers }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
