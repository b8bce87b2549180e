package kubernetes

// What the manifests say about the programs, compared with the programs' sources and with Compose.

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Not read by the program: used by other variables.
var notDescribed = []string{"POD_NAMESPACE", "POD_IP"}

func (w *world) checkProgram(t *testing.T) {
	w.checkReplicaName()
	if len(w.problems) > 0 {
		return // a pod that is missing has no numbers to compare
	}
	container := w.bank().spec.Containers[0]
	w.checkEnvironment(t, container)
	w.checkProbes(t, container)
	w.checkShutdown(t, container)
	w.checkSessions(t, container)
	w.checkCompose(t)
	w.checkRunner()
}

func (w *world) checkEnvironment(t *testing.T, container core.Container) {
	described := readFile(t, "server/config/config.c")
	variables := env(container)
	for name := range variables {
		if !strings.HasPrefix(name, "PG") && !slices.Contains(notDescribed, name) &&
			!strings.Contains(described, "\"  "+name+" ") {
			w.wrong("bank-api does not know the variable %s", name)
		}
	}
	if variables["BANK_API_HOST"] != "0.0.0.0" {
		w.wrong("bank-api does not listen for other pods")
	}
	if len(container.Ports) != 1 || fmt.Sprint(container.Ports[0].ContainerPort) != variables["BANK_API_PORT"] {
		w.wrong("BANK_API_PORT and the port of the container differ")
	}
	hosts := strings.Split(variables["BANK_API_ALLOWED_HOSTS"], ",")
	for _, host := range []string{"bank-api", "bank-api.$(POD_NAMESPACE)", "bank-api.$(POD_NAMESPACE).svc", "$(POD_IP)"} {
		if !slices.Contains(hosts, host) {
			w.wrong("bank-api answers 421 to the host %s", host)
		}
	}
	if w.services["bank-api"] == nil {
		w.wrong("there is no Service bank-api")
	}
	if host := variables["PGHOST"]; w.services[host] == nil {
		w.wrong("PGHOST: there is no Service %s", host)
	}
}

// BANK_API_REPLICA has at most 32 characters. Kubernetes adds "-", a hash of at most ten, "-" and five characters.
func (w *world) checkReplicaName() {
	for _, one := range w.objects {
		if longest := len(one.Metadata.Name) + 17; one.Kind == "Deployment" && longest > 32 {
			w.wrong("%s: the name of a pod may have %d characters", one, longest)
		}
	}
}

// Liveness must not depend on the database, and readiness must.
func (w *world) checkProbes(t *testing.T, container core.Container) {
	routes := readFile(t, "server/api/routes.h")
	for name, probe := range map[string]*core.Probe{
		"startup": container.StartupProbe, "liveness": container.LivenessProbe, "readiness": container.ReadinessProbe,
	} {
		if probe == nil || probe.HTTPGet == nil {
			w.wrong("bank-api has no %s probe by HTTP", name)
			continue
		}
		path := probe.HTTPGet.Path
		if !regexp.MustCompile(`ROUTE\(GET, "` + regexp.QuoteMeta(path) + `", \w+, false\)`).MatchString(routes) {
			w.wrong("bank-api has no path %s that needs no token", path)
		}
		if answersFromMemory := strings.Contains(routes, `ROUTE(GET, "`+path+`", handle_page, false)`); name != "readiness" && !answersFromMemory {
			w.wrong("the %s of bank-api depends on more than the program: %s", name, path)
		}
		if name == "readiness" && path != "/health" {
			w.wrong("the readiness of bank-api does not depend on the database: %s", path)
		}
	}
}

func number(t *testing.T, text, pattern string) int {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %s", pattern)
	}
	value, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// The kubelet counts the preStop hook into the grace period.
func (w *world) checkShutdown(t *testing.T, container core.Container) {
	flush := number(t, readFile(t, "server/main.c"), `TRACE_FLUSH_MS (\d+)`)
	timeout := number(t, env(container)["SHUTDOWN_TIMEOUT_MS"], `^(\d+)$`)
	wait := 0
	if hook := container.Lifecycle; hook != nil && hook.PreStop != nil && hook.PreStop.Exec != nil {
		wait = number(t, strings.Join(hook.PreStop.Exec.Command, " "), `^sleep (\d+)$`)
	}
	grace := w.bank().spec.TerminationGracePeriodSeconds
	if wait == 0 {
		w.wrong("bank-api stops before the Service knows it")
	}
	if grace == nil || int(*grace)*1000 < wait*1000+timeout+flush {
		w.wrong("bank-api is killed before its shutdown is over")
	}
}

// During a rollout one pod more than the autoscaler's most may be alive.
func (w *world) checkSessions(t *testing.T, container core.Container) {
	others := number(t, readFile(t, "server/config/config.c"), `one for each other kind of work: (\d+);`) + 1 // and a LISTEN
	threads := number(t, env(container)["WORKER_THREADS"], `^(\d+)$`)
	limit := 0
	if w.cluster != nil {
		text, _ := yaml.Marshal(w.cluster)
		limit = number(t, string(text), `max_connections: "(\d+)"`)
	} else {
		limit = number(t, strings.Join(w.pod("postgres").spec.Containers[0].Args, " "), `max_connections=(\d+)`)
	}
	const superuser = 3
	for _, one := range w.objects {
		switch value := one.typed.(type) {
		case *autoscaling.HorizontalPodAutoscaler:
			if most := (int(value.Spec.MaxReplicas) + 1) * (threads + others); most > limit-superuser {
				w.wrong("%d sessions, and PostgreSQL has %d", most, limit-superuser)
			}
		case *apps.Deployment:
			if surge := value.Spec.Strategy.RollingUpdate; surge == nil || surge.MaxSurge.IntVal != 0 {
				w.wrong("%s: a rollout adds a pod, and its sessions", one)
			}
		}
	}
}

type composeFile struct {
	Services map[string]struct {
		Image   string   `json:"image"`
		Command []string `json:"command"`
	} `json:"services"`
}

func (w *world) checkCompose(t *testing.T) {
	var compose composeFile
	text := readFile(t, "compose/compose.yaml")
	text = regexp.MustCompile(`(?m)^    <<: .*$`).ReplaceAllString(text, "") // merge keys, which this reader refuses
	if err := yaml.Unmarshal([]byte(text), &compose); err != nil {
		t.Fatal(err)
	}
	same := map[string]string{"bank-api": "lab21-bank-api", "basic-runner": "lab21-k6", "basic-initializer": "lab21-k6"}
	if w.cluster == nil {
		same["postgres"] = "lab21-postgres"
		if args := w.pod("postgres").spec.Containers[0].Args; !slices.Equal(args, compose.Services["lab21-postgres"].Command) {
			w.wrong("PostgreSQL has other arguments than in compose.yaml: %v", args)
		}
	}
	for name, service := range same {
		if image := w.pod(name).spec.Containers[0].Image; image != compose.Services[service].Image {
			w.wrong("%s has the image %s, and compose.yaml has %s", name, image, compose.Services[service].Image)
		}
	}
}

func (w *world) checkRunner() {
	url := env(w.pod("basic-runner").spec.Containers[0])["BASE_URL"]
	host, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	service := w.services[host]
	if service == nil || fmt.Sprint(service.Spec.Ports[0].Port) != port {
		w.wrong("k6: there is no Service for %s", url)
	}
}
