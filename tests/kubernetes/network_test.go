package kubernetes

// The policies as a network plugin reads them: who may reach whom.

import (
	"slices"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

func (w *world) matches(selector *meta.LabelSelector, with map[string]string) bool {
	compiled, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		w.wrong("a selector: %v", err)
		return false
	}
	return compiled.Matches(labels.Set(with))
}

func (w *world) selects(policy *networking.NetworkPolicy, each *pod) bool {
	return each.namespace == policy.Namespace && w.matches(&policy.Spec.PodSelector, each.labels)
}

// In a peer, a namespaceSelector and a podSelector must both match; without the first, the namespace is the policy's own.
func (w *world) isPeer(policy *networking.NetworkPolicy, peers []networking.NetworkPolicyPeer, each *pod) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(peer networking.NetworkPolicyPeer) bool {
		if peer.NamespaceSelector == nil && each.namespace != policy.Namespace {
			return false
		}
		if peer.NamespaceSelector != nil &&
			!w.matches(peer.NamespaceSelector, map[string]string{"kubernetes.io/metadata.name": each.namespace}) {
			return false
		}
		return peer.PodSelector == nil || w.matches(peer.PodSelector, each.labels)
	})
}

func isOpen(ports []networking.NetworkPolicyPort, port int32, protocol core.Protocol) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(each networking.NetworkPolicyPort) bool {
		return each.Protocol != nil && *each.Protocol == protocol && each.Port != nil && each.Port.IntVal == port
	})
}

// allows judges one end of a connection: without a policy of that direction everything is allowed.
func (w *world) allows(direction networking.PolicyType, end, other *pod, port int32, protocol core.Protocol) bool {
	free := true
	for _, policy := range w.policies {
		if !w.selects(policy, end) || !slices.Contains(policy.Spec.PolicyTypes, direction) {
			continue
		}
		free = false
		if direction == networking.PolicyTypeIngress {
			for _, rule := range policy.Spec.Ingress {
				if w.isPeer(policy, rule.From, other) && isOpen(rule.Ports, port, protocol) {
					return true
				}
			}
			continue
		}
		for _, rule := range policy.Spec.Egress {
			if w.isPeer(policy, rule.To, other) && isOpen(rule.Ports, port, protocol) {
				return true
			}
		}
	}
	return free
}

func (w *world) reach(from, to *pod, port int32, protocol core.Protocol) bool {
	return w.allows(networking.PolicyTypeEgress, from, to, port, protocol) &&
		w.allows(networking.PolicyTypeIngress, to, from, port, protocol)
}

func (w *world) checkNetwork() {
	bank := w.bank()
	database := w.database()
	prometheus, dns := w.pod("Prometheus"), w.pod("the DNS")
	stranger, neighbour := w.pod("a stranger"), w.pod("a neighbour")
	runner := w.pod("basic-runner")

	w.must(true, bank, database, 5432, core.ProtocolTCP)
	w.must(true, bank, dns, 53, core.ProtocolUDP)
	w.must(true, bank, dns, 53, core.ProtocolTCP)
	w.must(true, prometheus, bank, 8000, core.ProtocolTCP)
	w.must(true, runner, bank, 8000, core.ProtocolTCP)
	if w.cluster != nil {
		operator := w.pod("the operator")
		for _, port := range []int32{5432, 8000} {
			w.must(true, operator, database, port, core.ProtocolTCP)
			w.must(true, database, database, port, core.ProtocolTCP)
		}
	}
	for _, other := range []*pod{stranger, neighbour} {
		w.must(false, other, bank, 8000, core.ProtocolTCP)
	}
	for _, other := range []*pod{stranger, neighbour, runner, prometheus} {
		w.must(false, other, database, 5432, core.ProtocolTCP)
	}
	w.must(false, bank, stranger, 8000, core.ProtocolTCP)
	w.checkPolicies()
}

func (w *world) database() *pod {
	if w.cluster != nil {
		return w.pod("bank-db")
	}
	return w.pod("postgres")
}

func (w *world) must(wanted bool, from, to *pod, port int32, protocol core.Protocol) {
	switch is := w.reach(from, to, port, protocol); {
	case wanted && !is:
		w.wrong("the policies keep %s from %s, port %d %s", from.name, to.name, port, protocol)
	case is && !wanted:
		w.wrong("the policies let %s reach %s, port %d %s", from.name, to.name, port, protocol)
	}
}

// A policy that selects no pod, or that names nobody, has a wrong label; and its ports are ports that somebody has.
func (w *world) checkPolicies() {
	for _, policy := range w.policies {
		selected := w.found(func(each *pod) bool { return w.selects(policy, each) })
		if len(selected) == 0 {
			w.wrong("NetworkPolicy %s selects no pod", policy.Name)
		}
		for _, rule := range policy.Spec.Ingress {
			w.checkPeers(policy, rule.From)
			w.checkPolicyPorts(policy, rule.Ports, selected)
		}
		for _, rule := range policy.Spec.Egress {
			w.checkPeers(policy, rule.To)
			w.checkPolicyPorts(policy, rule.Ports, w.found(func(each *pod) bool {
				return w.isPeer(policy, rule.To, each)
			}))
		}
	}
}

func (w *world) found(wanted func(*pod) bool) (found []*pod) {
	for _, each := range w.pods {
		if wanted(each) {
			found = append(found, each)
		}
	}
	return found
}

func (w *world) checkPeers(policy *networking.NetworkPolicy, peers []networking.NetworkPolicyPeer) {
	for _, peer := range peers {
		one := []networking.NetworkPolicyPeer{peer}
		if len(w.found(func(each *pod) bool { return w.isPeer(policy, one, each) })) == 0 {
			w.wrong("NetworkPolicy %s: a peer is nobody: %v", policy.Name, peer)
		}
	}
}

func (w *world) checkPolicyPorts(policy *networking.NetworkPolicy, ports []networking.NetworkPolicyPort, ends []*pod) {
	for _, port := range ports {
		if !slices.ContainsFunc(ends, func(each *pod) bool { return port.Port != nil && each.listens(port.Port.IntVal) }) {
			w.wrong("NetworkPolicy %s opens a port on which nobody listens: %v", policy.Name, port.Port)
		}
	}
}
