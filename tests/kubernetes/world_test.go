package kubernetes

// An installation as the checks see it: its pods, Services and policies, and what the operators add to them.

import (
	"encoding/json"
	"fmt"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
)

type pod struct {
	name      string
	namespace string
	labels    map[string]string
	spec      *core.PodSpec // nil: a pod of an operator
	claims    []string      // volumes that a StatefulSet adds
	ports     []int32       // of a pod without a spec
}

type world struct {
	objects  []*object
	pods     []*pod
	policies []*networking.NetworkPolicy
	services map[string]*core.Service
	keys     map[string]map[string]bool // "Secret x", "ConfigMap x" > its keys
	cluster  map[string]any             // of CloudNativePG, or nil
	problems []string
}

func (w *world) wrong(format string, arguments ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, arguments...))
}

func newWorld(objects []*object) *world {
	w := &world{objects: objects, services: map[string]*core.Service{}, keys: map[string]map[string]bool{}}
	for _, one := range objects {
		w.add(one)
	}
	w.pods = append(w.pods,
		&pod{name: "Prometheus", namespace: "monitoring", labels: map[string]string{"app.kubernetes.io/name": "prometheus"}},
		&pod{name: "the DNS", namespace: "kube-system", labels: map[string]string{"k8s-app": "kube-dns"}, ports: []int32{53}},
		&pod{name: "a stranger", namespace: "default", labels: map[string]string{"app.kubernetes.io/name": "bank-api"}},
		&pod{name: "a neighbour", namespace: namespace, labels: map[string]string{}})
	return w
}

func (w *world) add(one *object) {
	switch value := one.typed.(type) {
	case *apps.Deployment:
		w.pods = append(w.pods, &pod{one.Metadata.Name, namespace, value.Spec.Template.Labels, &value.Spec.Template.Spec, nil, nil})
	case *apps.StatefulSet:
		made := &pod{one.Metadata.Name, namespace, value.Spec.Template.Labels, &value.Spec.Template.Spec, nil, nil}
		for _, claim := range value.Spec.VolumeClaimTemplates {
			made.claims = append(made.claims, claim.Name)
		}
		w.pods = append(w.pods, made)
	case *core.Service:
		w.services[one.Metadata.Name] = value
	case *core.Secret:
		w.addKeys(one.String(), value.Data)
	case *core.ConfigMap:
		w.addKeys(one.String(), value.Data)
	case *networking.NetworkPolicy:
		w.policies = append(w.policies, value)
	case map[string]any:
		if one.Kind == "Cluster" {
			w.addCluster(one.Metadata.Name, value)
		} else {
			w.addTestRun(one)
		}
	}
}

func (w *world) addKeys(name string, data any) {
	text, _ := json.Marshal(data)
	var found map[string]any
	_ = json.Unmarshal(text, &found)
	w.keys[name] = map[string]bool{}
	for key := range found {
		w.keys[name][key] = true
	}
}

// CloudNativePG makes the pods, the Service <name>-rw and the Secret <name>-app.
func (w *world) addCluster(name string, value map[string]any) {
	w.cluster = value
	labels := map[string]string{"cnpg.io/cluster": name}
	w.pods = append(w.pods, &pod{name: name, namespace: namespace, labels: labels, ports: []int32{5432, 8000}},
		&pod{name: "the operator", namespace: "cnpg-system",
			labels: map[string]string{"app.kubernetes.io/name": "cloudnative-pg"}})
	service := &core.Service{Spec: core.ServiceSpec{Selector: labels, Ports: []core.ServicePort{{Port: 5432}}}}
	w.services[name+"-rw"] = service
	w.keys["Secret "+name+"-app"] = map[string]bool{"username": true, "password": true, "dbname": true, "uri": true}
}

type k6Pod struct {
	Image                        string
	Metadata                     struct{ Labels map[string]string }
	Env                          []core.EnvVar
	AutomountServiceAccountToken string
	SecurityContext              *core.PodSecurityContext
	ContainerSecurityContext     *core.SecurityContext
	VolumeMounts                 []core.VolumeMount
	Volumes                      []core.Volume
}

// The k6-operator makes three Jobs of a TestRun; each becomes a pod with one container.
func (w *world) addTestRun(one *object) {
	var run struct {
		Spec struct {
			Script                       struct{ LocalFile string }
			Runner, Initializer, Starter k6Pod
		}
	}
	if err := json.Unmarshal(one.text, &run); err != nil {
		w.wrong("%s: %v", one, err)
		return
	}
	for name, each := range map[string]k6Pod{
		"runner": run.Spec.Runner, "initializer": run.Spec.Initializer, "starter": run.Spec.Starter,
	} {
		automount := each.AutomountServiceAccountToken != "false"
		w.pods = append(w.pods, &pod{one.Metadata.Name + "-" + name, namespace, each.Metadata.Labels, &core.PodSpec{
			SecurityContext:              each.SecurityContext,
			AutomountServiceAccountToken: &automount,
			Volumes:                      each.Volumes,
			Containers: []core.Container{{Name: "k6", Image: each.Image, Env: each.Env,
				VolumeMounts: each.VolumeMounts, SecurityContext: each.ContainerSecurityContext}},
		}, nil, nil})
		if name != "starter" && !holdsFile(each, run.Spec.Script.LocalFile) {
			w.wrong("%s: its %s has no file %s", one, name, run.Spec.Script.LocalFile)
		}
	}
}

func holdsFile(each k6Pod, path string) bool {
	for _, mount := range each.VolumeMounts {
		for _, volume := range each.Volumes {
			if volume.Name != mount.Name || volume.ConfigMap == nil {
				continue
			}
			for _, item := range volume.ConfigMap.Items {
				if mount.MountPath+"/"+item.Path == path {
					return true
				}
			}
		}
	}
	return false
}

func (w *world) pod(name string) *pod {
	for _, each := range w.pods {
		if each.name == name {
			return each
		}
	}
	w.wrong("there is no pod %s", name)
	return &pod{spec: &core.PodSpec{Containers: make([]core.Container, 1)}}
}

func (w *world) bank() *pod { return w.pod("bank-api") }

func (p *pod) listens(port int32) bool {
	for _, each := range p.ports {
		if each == port {
			return true
		}
	}
	if p.spec != nil {
		for _, container := range p.spec.Containers {
			for _, each := range container.Ports {
				if each.ContainerPort == port {
					return true
				}
			}
		}
	}
	return false
}

func env(container core.Container) map[string]string {
	found := map[string]string{}
	for _, each := range container.Env {
		found[each.Name] = each.Value
	}
	return found
}

func hasLabels(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func (w *world) matched(selector map[string]string) (found []*pod) {
	for _, each := range w.pods {
		if each.namespace == namespace && len(selector) > 0 && hasLabels(each.labels, selector) {
			found = append(found, each)
		}
	}
	return found
}

func (w *world) check(t *testing.T) []string {
	w.checkNamespaces()
	w.checkSelectors()
	w.checkReferences()
	w.checkPorts()
	w.checkSecurity()
	w.checkNetwork()
	w.checkProgram(t)
	return w.problems
}

func (w *world) checkNamespaces() {
	for _, one := range w.objects {
		if one.Kind != "Namespace" && one.Metadata.Namespace != namespace {
			w.wrong("%s is in the namespace %q", one, one.Metadata.Namespace)
		}
		if one.Metadata.Labels["app.kubernetes.io/part-of"] != "race-conditions-lab" {
			w.wrong("%s has no label part-of", one)
		}
	}
}

func (w *world) checkSelectors() {
	for _, one := range w.objects {
		switch value := one.typed.(type) {
		case *apps.Deployment:
			w.own(one, value.Spec.Selector.MatchLabels, value.Spec.Template.Labels)
			for _, constraint := range value.Spec.Template.Spec.TopologySpreadConstraints {
				w.own(one, constraint.LabelSelector.MatchLabels, value.Spec.Template.Labels)
			}
		case *apps.StatefulSet:
			w.own(one, value.Spec.Selector.MatchLabels, value.Spec.Template.Labels)
			if w.services[value.Spec.ServiceName] == nil {
				w.wrong("%s: there is no Service %q", one, value.Spec.ServiceName)
			}
		case *core.Service:
			w.some(one, value.Spec.Selector)
		case *policy.PodDisruptionBudget:
			w.some(one, value.Spec.Selector.MatchLabels)
		case *autoscaling.HorizontalPodAutoscaler:
			w.checkTarget(one, value.Spec.ScaleTargetRef)
		case *monitoring.ServiceMonitor:
			w.checkMonitor(one, value)
		}
	}
}

func (w *world) own(one *object, selector, labels map[string]string) {
	if len(selector) == 0 || !hasLabels(labels, selector) {
		w.wrong("%s: the selector %v does not match its own pods, %v", one, selector, labels)
	}
}

func (w *world) some(one *object, selector map[string]string) {
	if len(w.matched(selector)) == 0 {
		w.wrong("%s: the selector %v matches no pod", one, selector)
	}
}

func (w *world) checkTarget(one *object, target autoscaling.CrossVersionObjectReference) {
	for _, other := range w.objects {
		if other.APIVersion == target.APIVersion && other.Kind == target.Kind && other.Metadata.Name == target.Name {
			if deployment, is := other.typed.(*apps.Deployment); is && deployment.Spec.Replicas != nil {
				w.wrong("%s and %s both set the number of replicas", one, other)
			}
			return
		}
	}
	w.wrong("%s: there is no %s %s", one, target.Kind, target.Name)
}

// The job of the series is the Service's name.
func (w *world) checkMonitor(one *object, monitor *monitoring.ServiceMonitor) {
	found := 0
	for name, service := range w.services {
		if !hasLabels(service.Labels, monitor.Spec.Selector.MatchLabels) {
			continue
		}
		found++
		ports := map[string]bool{}
		for _, port := range service.Spec.Ports {
			ports[port.Name] = true
		}
		for _, endpoint := range monitor.Spec.Endpoints {
			if !ports[endpoint.Port] {
				w.wrong("%s: the Service %s has no port %q", one, name, endpoint.Port)
			}
		}
		if name != "bank-api" {
			w.wrong("%s: the rules expect the job bank-api and not %s", one, name)
		}
	}
	if found != 1 {
		w.wrong("%s matches %d Services", one, found)
	}
}

// volumes returns the names of the volumes, those of a StatefulSet's claims included.
func (p *pod) volumes() map[string]bool {
	found := map[string]bool{}
	for _, volume := range p.spec.Volumes {
		found[volume.Name] = true
	}
	for _, claim := range p.claims {
		found[claim] = true
	}
	return found
}
