package kubernetes

// Strict decoding: an unknown field, a wrong type or a field in the wrong case is a problem.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	strict "sigs.k8s.io/json"
)

var kinds = map[string]func() any{
	"v1 Namespace":                            func() any { return new(core.Namespace) },
	"v1 ServiceAccount":                       func() any { return new(core.ServiceAccount) },
	"v1 Service":                              func() any { return new(core.Service) },
	"v1 Secret":                               func() any { return new(core.Secret) },
	"v1 ConfigMap":                            func() any { return new(core.ConfigMap) },
	"apps/v1 Deployment":                      func() any { return new(apps.Deployment) },
	"apps/v1 StatefulSet":                     func() any { return new(apps.StatefulSet) },
	"policy/v1 PodDisruptionBudget":           func() any { return new(policy.PodDisruptionBudget) },
	"autoscaling/v2 HorizontalPodAutoscaler":  func() any { return new(autoscaling.HorizontalPodAutoscaler) },
	"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networking.NetworkPolicy) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(monitoring.ServiceMonitor) },
	"monitoring.coreos.com/v1 PrometheusRule": func() any { return new(monitoring.PrometheusRule) },
}

// The kinds whose Go types are not to be had: files with the fields that the lab uses.
var golden = map[string]string{
	"postgresql.cnpg.io/v1 Cluster": "fields/cnpg-cluster.txt",
	"k6.io/v1alpha1 TestRun":        "fields/k6-testrun.txt",
}

// The types of Kubernetes inside those.
var parts = map[string]func() any{
	"core.EnvVars":              func() any { return new([]core.EnvVar) },
	"core.PodSecurityContext":   func() any { return new(core.PodSecurityContext) },
	"core.SecurityContext":      func() any { return new(core.SecurityContext) },
	"core.ResourceRequirements": func() any { return new(core.ResourceRequirements) },
	"core.VolumeMounts":         func() any { return new([]core.VolumeMount) },
	"core.Volumes":              func() any { return new([]core.Volume) },
	"strings":                   func() any { return new(map[string]string) },
}

func decodeInto(text []byte, into any) (problems []string) {
	unknown, err := strict.UnmarshalStrict(text, into)
	for _, one := range append(unknown, err) {
		if one != nil {
			problems = append(problems, one.Error())
		}
	}
	return problems
}

func decodeAll(objects []*object) (problems []string) {
	for _, one := range objects {
		var wrong []string
		id := one.APIVersion + " " + one.Kind
		if kind, known := kinds[id]; known {
			one.typed = kind()
			wrong = decodeInto(one.text, one.typed)
		} else if file, known := golden[id]; known {
			wrong = decodeByFields(one, file)
		} else {
			wrong = []string{"no type for " + id}
		}
		for _, message := range wrong {
			problems = append(problems, one.String()+": "+message)
		}
	}
	return problems
}

// decodeByFields leaves the object as a map.
func decodeByFields(one *object, file string) []string {
	fields, err := readFields(file)
	var value map[string]any
	if err == nil {
		err = json.Unmarshal(one.text, &value)
	}
	if err != nil {
		return []string{err.Error()}
	}
	one.typed = value
	var problems []string
	for key, part := range value {
		switch key {
		case "apiVersion", "kind", "metadata":
		default:
			problems = append(problems, checkFields(key, part, fields)...)
		}
	}
	return problems
}

func readFields(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	fields := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, kind, found := strings.Cut(lines.Text(), " "); found && name != "#" {
			fields[name] = kind
		}
	}
	return fields, nil
}

func checkFields(path string, value any, fields map[string]string) (problems []string) {
	if kind, listed := fields[path]; listed {
		return checkKind(path, value, kind)
	}
	inner, isMap := value.(map[string]any)
	if !isMap {
		return []string{"unknown field " + path}
	}
	for key, part := range inner {
		problems = append(problems, checkFields(path+"."+key, part, fields)...)
	}
	return problems
}

func checkKind(path string, value any, kind string) []string {
	right := false
	switch kind {
	case "integer":
		number, isNumber := value.(float64)
		right = isNumber && number == float64(int64(number))
	case "boolean":
		_, right = value.(bool)
	case "string":
		_, right = value.(string)
	default:
		if part, known := parts[kind]; known {
			text, err := json.Marshal(value)
			if err != nil {
				return []string{err.Error()}
			}
			return decodeInto(text, part())
		}
		text, isString := value.(string)
		right = isString && slices.Contains(strings.Split(kind, "|"), text)
	}
	if !right {
		return []string{fmt.Sprintf("%s is %v and not of the kind %s", path, value, kind)}
	}
	return nil
}
