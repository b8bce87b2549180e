package kubernetes

// The real bank-api with the environment of the Deployment, while its database is unreachable: what the probes get, and
// how it ends.

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

const podIP = "10.244.1.7"

func deployed(t *testing.T) core.Container {
	objects, err := readTree(t).build("postgres")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range objects {
		if one.Kind == "Deployment" {
			value := new(apps.Deployment)
			if wrong := decodeInto(one.text, value); wrong != nil {
				t.Fatal(wrong)
			}
			return value.Spec.Template.Spec.Containers[0]
		}
	}
	t.Fatal("there is no Deployment")
	return core.Container{}
}

// As the kubelet does: $(NAME) is a variable that stands before.
func environment(container core.Container, port int) []string {
	known := map[string]string{}
	for _, variable := range container.Env {
		value := variable.Value
		switch variable.Name {
		case "POD_IP":
			value = podIP
		case "POD_NAMESPACE":
			value = namespace
		case "BANK_API_REPLICA":
			value = "bank-api-7d9f6c5b4-x2x2x"
		case "ADMIN_TOKEN", "PGPASSWORD":
			value = "secret"
		}
		for name, other := range known {
			value = strings.ReplaceAll(value, "$("+name+")", other)
		}
		known[variable.Name] = value
	}
	// This machine's part: a loopback address, a free port, and a port of PostgreSQL on which nobody listens.
	known["BANK_API_HOST"], known["BANK_API_PORT"] = "127.0.0.1", fmt.Sprint(port)
	known["PGHOST"], known["PGPORT"] = "127.0.0.1", "1"
	var all []string
	for name, value := range known {
		all = append(all, name+"="+value)
	}
	return all
}

func freePort(t *testing.T) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func ask(port int, path, host string) (int, error) {
	request, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		return 0, err
	}
	request.Host = fmt.Sprintf("%s:%d", host, port)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

func TestProbesOfTheRunningProgram(t *testing.T) {
	program := os.Getenv("BANK_API")
	if program == "" {
		t.Skip("BANK_API names no program")
	}
	container, port := deployed(t), freePort(t)
	var log strings.Builder
	command := exec.Command(program)
	command.Env, command.Stderr = environment(container, port), &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill() }()
	for tries := 0; ; tries++ {
		if _, err := ask(port, "/health", podIP); err == nil {
			break
		} else if tries == 600 {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, each := range []struct {
		path, host string
		wanted     int
	}{
		{container.StartupProbe.HTTPGet.Path, podIP, 200},
		{container.LivenessProbe.HTTPGet.Path, podIP, 200},
		{container.ReadinessProbe.HTTPGet.Path, podIP, 503},
		{"/metrics", podIP, 200},
		{"/health", "bank-api." + namespace + ".svc", 503},
		{"/metrics", "10.244.1.8", 421},
	} {
		if got, err := ask(port, each.path, each.host); err != nil || got != each.wanted {
			t.Errorf("%s with the host %s: %d %v, and not %d", each.path, each.host, got, err, each.wanted)
		}
	}
	_ = command.Process.Signal(syscall.SIGTERM)
	if err := command.Wait(); err != nil {
		t.Errorf("the end: %v\n%s", err, log.String())
	}
}
