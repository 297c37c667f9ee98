#!/usr/bin/env bash
# What is in deploy/, tried: the proxies with the official client before real servers, the steps of the Dockerfile, the unit
# by systemd's own checks, the chart rendered and held against the schemas of Kubernetes, compose.yaml, and a release.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/install.sh
. test/node-test.sh
install "command -v node" nodejs npm
install "command -v haproxy" haproxy
install "command -v nginx" nginx-light
install "command -v systemd-analyze" systemd
install "command -v readelf" binutils
install "/usr/bin/python3 -c 'import yaml'" python3-yaml

HELM_VERSION=v3.22.0
KUBECONFORM_VERSION=v0.8.0
SCHEMAS_VERSION=v0.0.4 # of sigs.k8s.io/kubectl-validate, whose module has the schemas of Kubernetes

# tool NAME VERSION PACKAGE builds a tool once.
tool() {
    [ -x ".tools/$1-$2" ] && return
    GOBIN=$PWD/.tools go install "$3@$2"
    mv ".tools/$1" ".tools/$1-$2"
}
mkdir -p .tools
tool helm "$HELM_VERSION" helm.sh/helm/v3/cmd/helm
tool kubeconform "$KUBECONFORM_VERSION" github.com/yannh/kubeconform/cmd/kubeconform
export HELM=$PWD/.tools/helm-$HELM_VERSION KUBECONFORM=$PWD/.tools/kubeconform-$KUBECONFORM_VERSION
KUBERNETES_SCHEMAS=$(go mod download -json "sigs.k8s.io/kubectl-validate@$SCHEMAS_VERSION" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')/pkg/openapiclient/builtins
export KUBERNETES_SCHEMAS

[ -d test/node/node_modules ] || (cd test/node && npm ci --no-audit --no-fund --loglevel=error)
mkdir -p bin
go build -o bin/server ./cmd/server
export ROLECALL_BINARY=$PWD/bin/server
node_test 1 600000 test/deploy/*.test.mjs
