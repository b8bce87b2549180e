package kubernetes

// The two shell scripts: the rules have one source, and the passwords are made once.

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"
)

func run(t *testing.T, program string) string {
	t.Helper()
	output, err := exec.Command(program).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, output)
	}
	return string(output)
}

func TestRulesAreGenerated(t *testing.T) {
	folder := manifests + "/monitoring"
	if run(t, filepath.Join(root, folder, "rules.sh")) != readFile(t, folder+"/rules.yaml") {
		t.Errorf("%s/rules.yaml is not what rules.sh prints: run %s/rules.sh > %s/rules.yaml", folder, folder, folder)
	}
}

type rules struct {
	Groups []map[string]any `json:"groups"`
}

// The script is a few lines of sed, so its result is also compared as YAML.
func TestRulesAreThoseOfPrometheus(t *testing.T) {
	var want rules
	for _, name := range []string{"alerts.yml", "recording.yml"} {
		var some rules
		if err := yaml.Unmarshal([]byte(readFile(t, "observability/prometheus/rules/"+name)), &some); err != nil {
			t.Fatal(err)
		}
		want.Groups = append(want.Groups, some.Groups...)
	}
	var got struct{ Spec rules }
	if err := yaml.Unmarshal([]byte(readFile(t, manifests+"/monitoring/rules.yaml")), &got); err != nil {
		t.Fatal(err)
	}
	for _, group := range got.Spec.Groups {
		if group["interval"] != "5s" {
			t.Errorf("%v has no interval", group["name"])
		}
		delete(group, "interval")
	}
	if len(want.Groups) < 5 || !reflect.DeepEqual(got.Spec, want) {
		t.Error("the groups of rules.yaml are not those of observability/prometheus/rules")
	}
}

func TestPasswordsAreMadeOnce(t *testing.T) {
	folder := t.TempDir()
	script, file := filepath.Join(folder, "secrets.sh"), filepath.Join(folder, "base", "secret.env")
	if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte(readFile(t, manifests+"/secrets.sh")), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, script)
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`^POSTGRES_PASSWORD=([0-9a-f]{48})\nADMIN_TOKEN=([0-9a-f]{48})\n$`).FindSubmatch(first)
	if found == nil || string(found[1]) == string(found[2]) {
		t.Errorf("secret.env is %q", first)
	}
	if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
		t.Errorf("others may read secret.env: %v", info.Mode())
	}
	run(t, script)
	if second, _ := os.ReadFile(file); string(second) != string(first) {
		t.Error("the second run has made other passwords")
	}
}
