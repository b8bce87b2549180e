// Package kubernetes tests compose/kubernetes without a cluster: it builds every overlay as kustomize does, decodes the
// objects strictly into the Go types of their APIs, and compares what refers to what. Each check is also run on
// manifests with a fault, which it must find (faults_test.go).
package kubernetes

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	root      = "../.."
	manifests = "compose/kubernetes"
	namespace = "race-lab"
)

// An installation is what a user applies together: one database, and the two additions.
var installations = map[string][]string{
	"postgres": {"postgres", "monitoring", "k6"},
	"cnpg":     {"cnpg", "monitoring", "k6"},
}

// tree holds the files that kustomize reads, by their path from the root of the checkout.
type tree map[string]string

func readTree(t *testing.T) tree {
	files := tree{}
	for _, folder := range []string{manifests, "loadtest"} {
		err := fs.WalkDir(os.DirFS(root), folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !regexp.MustCompile(`\.(yaml|js)$`).MatchString(path) {
				return err
			}
			files[path] = readFile(t, path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	files[manifests+"/base/secret.env"] = "POSTGRES_PASSWORD=one\nADMIN_TOKEN=two\n"
	return files
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// object is one document of the output.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name      string            `json:"name"`
		Namespace string            `json:"namespace"`
		Labels    map[string]string `json:"labels"`
	} `json:"metadata"`
	text  []byte // as JSON
	typed any    // after decode()
}

func (o *object) String() string { return o.Kind + " " + o.Metadata.Name }

// build does what `kustomize build` does, in the version that go.mod names.
func (files tree) build(folder string) ([]*object, error) {
	memory := filesys.MakeFsInMemory()
	for path, text := range files {
		if err := memory.WriteFile("/"+path, []byte(text)); err != nil {
			return nil, err
		}
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(memory, "/"+manifests+"/"+folder)
	if err != nil {
		return nil, err
	}
	var objects []*object
	for _, resource := range made.Resources() {
		text, err := resource.MarshalJSON()
		if err != nil {
			return nil, err
		}
		one := &object{text: text}
		if err := yaml.Unmarshal(text, one); err != nil {
			return nil, err
		}
		objects = append(objects, one)
	}
	return objects, nil
}

// sources checks the files themselves: the build has no trace of a key that was written twice.
func (files tree) sources() (problems []string) {
	for path, text := range files {
		if !strings.HasSuffix(path, ".yaml") {
			continue
		}
		for _, document := range strings.Split(text, "\n---\n") {
			if _, err := yaml.YAMLToJSONStrict([]byte(document)); err != nil {
				problems = append(problems, path+": "+err.Error())
			}
		}
	}
	return problems
}

// problems runs every check on every installation.
func (files tree) problems(t *testing.T) []string {
	found := files.sources()
	for _, folders := range installations {
		var objects []*object
		for _, folder := range folders {
			built, err := files.build(folder)
			if err != nil {
				return append(found, err.Error())
			}
			objects = append(objects, built...)
		}
		wrong := decodeAll(objects)
		if len(wrong) > 0 {
			return append(found, wrong...)
		}
		found = append(found, newWorld(objects).check(t)...)
	}
	return found
}

func TestManifests(t *testing.T) {
	for _, problem := range readTree(t).problems(t) {
		t.Error(problem)
	}
}

// Secrets are generated: the tree has none, and a build without them fails and names the file.
func TestNoSecretIsInTheTree(t *testing.T) {
	files := readTree(t)
	delete(files, manifests+"/base/secret.env")
	_, err := files.build("postgres")
	if err == nil || !strings.Contains(err.Error(), "secret.env") {
		t.Errorf("a build without secret.env: %v", err)
	}
	if !strings.Contains(readFile(t, ".gitignore"), manifests+"/base/secret.env\n") {
		t.Error("git does not ignore secret.env")
	}
	for path, text := range files {
		if strings.HasSuffix(path, ".yaml") && strings.Contains(text, "kind: Secret\n") {
			t.Error(path + " has a Secret")
		}
	}
}
