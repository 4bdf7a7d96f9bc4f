//go:build tools

// Package localkube builds nothing of its own: the imports hold the programs that build.py builds in go.mod and go.sum.
package localkube

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
