package kubernetes

// Names that one object has and another one needs: Secrets, ConfigMaps, volumes, accounts and ports; and the security of
// the pods.

import (
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (w *world) checkReferences() {
	for _, each := range w.pods {
		if each.spec == nil {
			continue
		}
		w.checkAccount(each)
		w.checkVolumes(each)
		for _, container := range each.spec.Containers {
			for _, variable := range container.Env {
				w.checkVariable(each, container, variable)
			}
			for _, mount := range container.VolumeMounts {
				if !each.volumes()[mount.Name] {
					w.wrong("%s mounts %q, and has no such volume", each.name, mount.Name)
				}
			}
		}
	}
}

func (w *world) checkAccount(each *pod) {
	name := each.spec.ServiceAccountName
	for _, one := range w.objects {
		if one.Kind == "ServiceAccount" && one.Metadata.Name == name {
			return
		}
	}
	if name != "" {
		w.wrong("%s: there is no ServiceAccount %q", each.name, name)
	}
}

func (w *world) checkVolumes(each *pod) {
	for _, volume := range each.spec.Volumes {
		if volume.ConfigMap != nil {
			for _, item := range volume.ConfigMap.Items {
				w.needKey(each, "ConfigMap "+volume.ConfigMap.Name, item.Key)
			}
		}
		if volume.Secret != nil {
			for _, item := range volume.Secret.Items {
				w.needKey(each, "Secret "+volume.Secret.SecretName, item.Key)
			}
		}
	}
}

// A value may use the variables that stand before it.
func (w *world) checkVariable(each *pod, container core.Container, variable core.EnvVar) {
	if from := variable.ValueFrom; from != nil {
		switch {
		case from.SecretKeyRef != nil:
			w.needKey(each, "Secret "+from.SecretKeyRef.Name, from.SecretKeyRef.Key)
		case from.ConfigMapKeyRef != nil:
			w.needKey(each, "ConfigMap "+from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key)
		}
	}
	for _, part := range strings.Split(variable.Value, "$(")[1:] {
		name, _, _ := strings.Cut(part, ")")
		for _, other := range container.Env {
			if other.Name == name {
				name = ""
			}
			if other.Name == variable.Name {
				break
			}
		}
		if name != "" {
			w.wrong("%s: %s needs $(%s), which does not stand before it", each.name, variable.Name, name)
		}
	}
}

func (w *world) needKey(each *pod, name, key string) {
	if !w.keys[name][key] {
		w.wrong("%s needs the key %q of %s", each.name, key, name)
	}
}

func (w *world) checkPorts() {
	for name, service := range w.services {
		for _, port := range service.Spec.Ports {
			target := port.TargetPort
			if target == (intstr.IntOrString{}) {
				target = intstr.FromInt32(port.Port)
			}
			for _, each := range w.matched(service.Spec.Selector) {
				if !each.hasPort(target) {
					w.wrong("Service %s: %s has no port %s", name, each.name, target.String())
				}
			}
		}
	}
	for _, each := range w.pods {
		if each.spec == nil {
			continue
		}
		for _, container := range each.spec.Containers {
			for _, probe := range []*core.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
				if probe != nil && probe.HTTPGet != nil && !each.hasPort(probe.HTTPGet.Port) {
					w.wrong("%s: a probe asks the port %s", each.name, probe.HTTPGet.Port.String())
				}
			}
		}
	}
}

func (p *pod) hasPort(wanted intstr.IntOrString) bool {
	if wanted.Type == intstr.Int {
		return p.listens(wanted.IntVal)
	}
	if p.spec != nil {
		for _, container := range p.spec.Containers {
			for _, port := range container.Ports {
				if port.Name == wanted.StrVal {
					return true
				}
			}
		}
	}
	return false
}

// checkSecurity is the restricted profile, and more: a root file system that is read-only, and no token.
func (w *world) checkSecurity() {
	for _, each := range w.pods {
		if each.spec == nil {
			continue
		}
		all := each.spec.SecurityContext
		if all == nil || !isTrue(all.RunAsNonRoot) || all.SeccompProfile == nil ||
			all.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
			w.wrong("%s: not runAsNonRoot with the seccomp profile RuntimeDefault", each.name)
		}
		if token := each.spec.AutomountServiceAccountToken; token == nil || *token {
			w.wrong("%s gets a token of the API", each.name)
		}
		for _, container := range each.spec.Containers {
			w.checkContainer(each, container)
		}
	}
}

func isTrue(value *bool) bool { return value != nil && *value }

func (w *world) checkContainer(each *pod, container core.Container) {
	own := container.SecurityContext
	if own == nil || own.AllowPrivilegeEscalation == nil || *own.AllowPrivilegeEscalation ||
		!isTrue(own.ReadOnlyRootFilesystem) {
		w.wrong("%s: %s may gain privileges, or write to its root file system", each.name, container.Name)
		return
	}
	if own.Capabilities == nil || len(own.Capabilities.Add) > 0 || len(own.Capabilities.Drop) != 1 ||
		own.Capabilities.Drop[0] != "ALL" {
		w.wrong("%s: %s keeps capabilities", each.name, container.Name)
	}
}
