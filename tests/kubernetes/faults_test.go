package kubernetes

// Each check on manifests with a fault, which it must find.

import (
	"strings"
	"testing"
)

var faults = []struct{ name, file, from, to, found string }{
	{"a misspelt field", "base/deployment.yaml", "livenessProbe:", "livelinessProbe:", `unknown field "spec.template.spec.containers[0].livelinessProbe"`},
	{"a field in the wrong case", "base/deployment.yaml", "imagePullPolicy:", "imagepullpolicy:", "unknown field"},
	{"a wrong type", "base/service.yaml", "port: 8000", `port: "8000"`, "cannot unmarshal string"},
	{"a field twice", "base/service.yaml", "  name: bank-api\n", "  name: bank-api\n  name: bank-api\n", "already set in map"},
	{"a number that is no string", "base/deployment.yaml", `value: "32"`, "value: 32", "cannot unmarshal number"},
	{"a misspelt field of the monitor", "monitoring/service-monitor.yaml", "scrapeTimeout:", "scrape_timeout:", "unknown field"},
	{"a misspelt field of a rule", "monitoring/rules.yaml", "expr: min_over", "expression: min_over", "unknown field"},
	{"a misspelt field of the cluster", "cnpg/cluster.yaml", "dataDurability:", "durability:", "unknown field spec.postgresql.synchronous.durability"},
	{"a wrong value in the cluster", "cnpg/cluster.yaml", "method: any", "method: all", "not of the kind any|first"},
	{"a number in the parameters", "cnpg/cluster.yaml", `max_connections: "200"`, "max_connections: 200", "cannot unmarshal number"},
	{"a wrong type in the test run", "k6/test-run.yaml", `automountServiceAccountToken: "false"`, "automountServiceAccountToken: false", "not of the kind string"},
	{"a misspelt field inside the test run", "k6/test-run.yaml", "readOnly: true", "readonly: true", "unknown field"},

	{"a selector", "base/deployment.yaml", "    matchLabels: { app.kubernetes.io/name: bank-api }\n  template", "    matchLabels: { app.kubernetes.io/name: bank }\n  template", "does not match its own pods"},
	{"the Service's selector", "base/service.yaml", "selector: { app.kubernetes.io/name: bank-api }", "selector: { app: bank-api }", "matches no pod"},
	{"the budget's selector", "base/disruption.yaml", "    matchLabels: { app.kubernetes.io/name: bank-api }", "    matchLabels: { app: bank-api }", "matches no pod"},
	{"the autoscaler's target", "base/autoscaler.yaml", "kind: Deployment, name: bank-api", "kind: Deployment, name: bank", "there is no Deployment bank"},
	{"two owners of the replicas", "base/deployment.yaml", "  revisionHistoryLimit: 3", "  replicas: 2", "both set the number of replicas"},
	{"the monitor's port", "monitoring/service-monitor.yaml", "port: http", "port: metrics", "has no port \"metrics\""},
	{"the monitor's selector", "monitoring/service-monitor.yaml", "    matchLabels: { app.kubernetes.io/name: bank-api }", "    matchLabels: { app: bank-api }", "matches 0 Services"},
	{"the Service of the StatefulSet", "postgres/postgres.yaml", "serviceName: postgres", "serviceName: database", "there is no Service"},

	{"a Secret's key", "postgres/bank-api.yaml", "key: POSTGRES_PASSWORD", "key: PASSWORD", `needs the key "PASSWORD" of Secret bank-api`},
	{"the operator's Secret", "cnpg/bank-api.yaml", "name: bank-db-app", "name: bank-db", "of Secret bank-db"},
	{"a ConfigMap's key", "k6/test-run.yaml", "key: bank.js", "key: lib.js", "of ConfigMap k6-scripts"},
	{"the script's file", "k6/test-run.yaml", "localFile: /scripts/basic.js", "localFile: /scripts/race.js", "has no file /scripts/race.js"},
	{"a volume", "postgres/postgres.yaml", "{ name: run, mountPath", "{ name: runs, mountPath", "has no such volume"},
	{"an account", "base/deployment.yaml", "serviceAccountName: bank-api", "serviceAccountName: bank", "there is no ServiceAccount"},
	{"a variable's order", "base/deployment.yaml", "name: POD_IP", "name: POD_ADDRESS", "needs $(POD_IP)"},
	{"a Service's port", "base/service.yaml", "targetPort: http", "targetPort: web", "has no port web"},
	{"a probe's port", "base/deployment.yaml", "{ path: /health, port: http }", "{ path: /health, port: 8080 }", "a probe asks the port 8080"},
	{"the database's host", "cnpg/bank-api.yaml", "value: bank-db-rw", "value: bank-db-r", "there is no Service bank-db-r"},

	{"a root user", "base/deployment.yaml", "runAsNonRoot: true", "runAsNonRoot: false", "not runAsNonRoot"},
	{"capabilities", "postgres/postgres.yaml", "drop: [ALL]", "drop: [NET_RAW]", "keeps capabilities"},
	{"a file system that can be written to", "k6/test-run.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "write to its root file system"},
	{"a token", "base/deployment.yaml", "      automountServiceAccountToken: false\n", "", "gets a token"},

	{"Prometheus kept out", "monitoring/network.yaml", "kubernetes.io/metadata.name: monitoring", "kubernetes.io/metadata.name: prometheus", "keep Prometheus from bank-api"},
	{"the database kept out", "postgres/network.yaml", "matchLabels: { app.kubernetes.io/name: postgres }\n      ports", "matchLabels: { app: postgres }\n      ports", "keep bank-api from postgres"},
	{"the operator kept out", "cnpg/network.yaml", "cnpg-system", "cnpg", "keep the operator from bank-db"},
	{"k6 kept out", "k6/test-run.yaml", "labels: { app.kubernetes.io/part-of: race-conditions-lab }", "labels: { app: k6 }", "keep basic-runner from bank-api"},
	{"the DNS kept out", "base/network.yaml", "protocol: UDP", "protocol: TCP", "port 53 UDP"},
	{"everybody let in", "base/network.yaml", "        - podSelector:\n            matchLabels: { app.kubernetes.io/part-of: race-conditions-lab }", "        - podSelector: {}", "let a neighbour reach bank-api"},
	{"a port of nobody", "base/network.yaml", "{ port: 8000, protocol: TCP }", "{ port: 8000, protocol: TCP }\n        - { port: 9000, protocol: TCP }", "nobody listens"},

	{"a liveness that needs the database", "base/deployment.yaml", "livenessProbe:\n            httpGet: { path: /openapi.json", "livenessProbe:\n            httpGet: { path: /health", "depends on more than the program"},
	{"a path that is none", "base/deployment.yaml", "path: /health", "path: /healthz", "no path /healthz"},
	{"a long prefix", "base/kustomization.yaml", "namespace: race-lab", "namespace: race-lab\nnamePrefix: my-own-lab-of-", "may have 39 characters"},
	{"a short grace period", "base/deployment.yaml", "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 15", "killed before its shutdown"},
	{"an unknown variable", "base/deployment.yaml", "name: LOG_FORMAT", "name: LOGFORMAT", "does not know the variable LOGFORMAT"},
	{"too many sessions", "base/autoscaler.yaml", "maxReplicas: 3", "maxReplicas: 9", "sessions, and PostgreSQL has"},
	{"another image", "base/deployment.yaml", "image: race-conditions-lab/bank-api", "image: bank-api", "compose.yaml has"},
	{"another PostgreSQL", "postgres/postgres.yaml", "max_wal_size=2GB", "max_wal_size=1GB", "other arguments"},
	{"a host with 421", "base/deployment.yaml", ",$(POD_IP)", "", "answers 421"},
	{"another Service for k6", "k6/test-run.yaml", "http://bank-api:8000", "http://bank-api:80", "no Service for"},
}

func TestFaultsAreFound(t *testing.T) {
	files := readTree(t)
	for _, fault := range faults {
		t.Run(strings.ReplaceAll(fault.name, " ", "_"), func(t *testing.T) {
			path := manifests + "/" + fault.file
			changed := strings.Replace(files[path], fault.from, fault.to, 1)
			if changed == files[path] {
				t.Fatalf("%s has no %q", path, fault.from)
			}
			broken := tree{}
			for each, text := range files {
				broken[each] = text
			}
			broken[path] = changed
			problems := strings.Join(broken.problems(t), "\n")
			if !strings.Contains(problems, fault.found) {
				t.Errorf("not found: %s; but: %s", fault.found, problems)
			}
		})
	}
}
