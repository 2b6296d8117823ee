# What checks the chart, built from Go modules into $(CACHE)/helm/bin: two minutes the first time, then it is there.
SHELL := /bin/bash
HELM := 3.19.0
KUBE_SCORE := 1.20.0
# The Kubernetes that templates are made for where no cluster is asked.
KUBERNETES_MINOR := 34
LINKED := -s -w \
  -X helm.sh/helm/v3/internal/version.version=v$(HELM) \
  $(foreach package,chartutil lint/rules,-X helm.sh/helm/v3/pkg/$(package).k8sVersionMajor=1 \
    -X helm.sh/helm/v3/pkg/$(package).k8sVersionMinor=$(KUBERNETES_MINOR))

$(CACHE)/helm/.tools: helm/tools.mk
	@command -v go > /dev/null || { \
	  echo "Go is missing: it builds helm and kube-score, which check the chart. Get Go 1.24 or later from https://go.dev/dl," >&2; \
	  echo "or on Debian 13 and later: apt-get install golang-go." >&2; exit 1; }
	@echo "helm and kube-score (built once) ..."
	@mkdir -p '$(CACHE)/helm/bin'
	@cd / && GOBIN='$(abspath $(CACHE))/helm/bin' CGO_ENABLED=0 GOFLAGS= nice -n 5 \
	  go install -trimpath -ldflags '$(LINKED)' helm.sh/helm/v3/cmd/helm@v$(HELM)
	@cd / && GOBIN='$(abspath $(CACHE))/helm/bin' CGO_ENABLED=0 GOFLAGS= nice -n 5 \
	  go install -trimpath -ldflags '-s -w' github.com/zegl/kube-score/cmd/kube-score@v$(KUBE_SCORE)
	@touch $@
