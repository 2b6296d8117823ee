#!/usr/bin/env bash
# One Kubernetes site of one node on this machine, as root: site.sh <a|b|witness> <up|down|cut|mend|kill|back|load> [image.tar …]
# Programs are taken from $JUNCTOR_CACHE/kubernetes/bin, state lies in $JUNCTOR_CACHE/kubernetes/<site>.
#
# A site is a network namespace at the bridge `sites` with an API server, etcd, scheduler, controllers, kubelet, containerd,
# kube-proxy, DNS and an enforcer of NetworkPolicies of its own (network_policies.py; this machine may reach everything);
# `witness` has the first two only: a place for a Lease. Pods and Services are routed from this machine and from the other
# site, so phones and clients outside reach them. `cut` takes the site's link away; `kill` ends all of its processes at
# once, as where its power fails, and `back` starts it on what its disks have.
set -Eeuo pipefail
archives=()
for archive in "${@:3}"; do archives+=("$(realpath "$archive")"); done
cd "$(dirname "$0")/../.."
site=${1:?a, b or witness} verb=${2:?up, down, cut, mend, kill, back or load}
root=$PWD
cache=${JUNCTOR_CACHE:-$PWD/.local}
bin=$cache/kubernetes/bin
mkdir -p "$cache/kubernetes/$site"
dir=$(cd "$cache/kubernetes/$site" && pwd)
case $site in a) n=1 ;; b) n=2 ;; witness) n=3 ;; *) echo "a site is a, b or witness" >&2; exit 2 ;; esac
ns=junctor-$site link=site-$site ip=10.90.$n.2
services() { echo "10.$((96 + $1)).0.0/16"; }
pods() { echo "10.$((244 + $1)).0.0/24"; }
cd "$dir"
export KUBECONFIG=$dir/kubeconfig

# `ip netns exec` would hide the cgroup mounts.
spawn() {
  local name=$1
  shift
  setsid nsenter --net=/var/run/netns/$ns "$@" >> "$name.log" 2>&1 < /dev/null &
  echo $! > "$name.pid"
}
wait_for() {
  for _ in $(seq 1200); do "$@" > /dev/null 2>&1 && return; sleep 0.5; done
  echo "site $site: not within ten minutes: $*" >&2
  exit 1
}
stop() {
  [ -f "$1.pid" ] || return 0
  kill "$(cat "$1.pid")" 2> /dev/null || true
  for _ in $(seq 50); do kill -0 "$(cat "$1.pid")" 2> /dev/null || break; sleep 0.1; done
  kill -9 "$(cat "$1.pid")" 2> /dev/null || true
  rm -f "$1.pid"
}

# The pods' network namespaces have names of their own.
remember_networks() {
  for container in $(timeout 10 ctr -a containerd/sock -n k8s.io containers ls -q 2> /dev/null); do
    timeout 10 ctr -a containerd/sock -n k8s.io containers info "$container" 2> /dev/null | grep -o 'netns/cni-[0-9a-f-]*' || true
  done | sed 's,^netns/,,' | sort -u - pods-networks -o pods-networks
}

forget_networks() {
  for network in $(cat pods-networks 2> /dev/null); do ip netns del "$network" 2> /dev/null || true; done
  rm -f pods-networks
}

# Shims outlive containerd: those that serve this site's socket.
shims() { pgrep -f "containerd-shim.* -address $dir/containerd/" || true; }

unmount() { awk -v d="$dir/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l; }

down() {
  touch pods-networks
  stop kubelet
  if [ -S containerd/sock ]; then
    remember_networks
    tasks() { timeout 10 ctr -a containerd/sock -n k8s.io tasks "$@" 2> /dev/null; }
    for task in $(tasks ls -q); do tasks kill -s SIGKILL "$task" || true; done
    for _ in $(seq 50); do [ -z "$(tasks ls | grep RUNNING)" ] && break; sleep 0.1; done
    for task in $(tasks ls -q); do tasks rm -f "$task" > /dev/null || true; done
  fi
  for program in network-policies kube-proxy kube-scheduler kube-controller-manager coredns kube-apiserver containerd etcd; do stop $program; done
  forget_networks
  for process in $(shims); do kill -9 "$process" || true; done
  unmount
  ip netns del $ns 2> /dev/null || true
  ip link del $link 2> /dev/null || true
  for group in /sys/fs/cgroup/*/$ns; do [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} + 2> /dev/null || true; done
  cd /
  rm -rf "$dir"
}

in_containers() { find /sys/fs/cgroup/$ns /sys/fs/cgroup/*/$ns -name cgroup.procs -exec cat {} + 2> /dev/null | sort -un || true; }

# Prints when it was, in seconds of this machine's uptime.
kill_all() {
  local programs containers
  touch pods-networks
  if [ -S containerd/sock ]; then remember_networks; fi
  programs=$(cat kubelet.pid containerd.pid 2> /dev/null || true; shims; cat ./*.pid)
  containers=$(in_containers)
  cut -d ' ' -f 1 /proc/uptime
  for process in $programs $containers; do kill -9 "$process" 2> /dev/null || true; done
  for process in $(in_containers); do kill -9 "$process" 2> /dev/null || true; done
  rm -f ./*.pid containerd/sock*
}

# A machine that starts again has no mounts, no network namespaces, no connections and no state of containers.
back() {
  [ -f etcd.pid ] && { echo "site $site runs" >&2; exit 1; }
  forget_networks
  unmount
  nsenter --net=/var/run/netns/$ns conntrack -F > /dev/null 2>&1 || true
  rm -rf containerd/state ipam
  run
}

network() {
  ip link add sites type bridge 2> /dev/null && ip addr add 10.90.0.1/16 dev sites && ip link set sites up || true
  sysctl -qw net.ipv4.ip_forward=1
  ip netns add $ns
  ip link add $link type veth peer name eth0 netns $ns
  ip link set $link master sites up
  ip netns exec $ns sh -c "ip link set lo up; ip addr add $ip/16 dev eth0; ip link set eth0 up
    ip route add default via 10.90.0.1; sysctl -qw net.ipv4.ip_forward=1"
  for other in 1 2; do
    if [ $other = $n ]; then
      for to in "$(pods $n)" "$(services $n)"; do ip route replace "$to" via $ip; done
    else
      for to in "$(pods $other)" "$(services $other)"; do ip netns exec $ns ip route replace "$to" via 10.90.$other.2; done
    fi
  done
}

configure() {
  mkdir -p cni containerd volumes
  [ -f sa.key ] || { openssl genrsa -out sa.key 2048 2> /dev/null && openssl rsa -in sa.key -pubout -out sa.pub 2> /dev/null; }
  echo "$(openssl rand -hex 24),admin,1,system:masters" > tokens.csv
  chmod 600 tokens.csv
  cat > kubeconfig << Y
apiVersion: v1
kind: Config
current-context: $site
contexts: [{name: $site, context: {cluster: $site, user: admin}}]
clusters: [{name: $site, cluster: {server: "https://$ip:6443", certificate-authority: "$dir/certs/apiserver.crt"}}]
users: [{name: admin, user: {token: $(cut -d, -f1 tokens.csv)}}]
Y
  chmod 600 kubeconfig
}

node_configuration() {
  for controller in /sys/fs/cgroup/*/; do mkdir -p "$controller$ns" 2> /dev/null || true; done
  for file in cpus mems; do
    cp /sys/fs/cgroup/cpuset/cpuset.$file /sys/fs/cgroup/cpuset/$ns/cpuset.$file 2> /dev/null || true
  done
  # Against the rest of the machine all pods together count as one process would: let them count as the dozen that they are.
  echo 12288 > /sys/fs/cgroup/cpu/$ns/cpu.shares 2> /dev/null || echo 1200 > /sys/fs/cgroup/$ns/cpu.weight 2> /dev/null || true
  cat > cni/10-bridge.conflist << J
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$dir/ipam", "ranges": [[{"subnet": "$(pods $n)"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
J
  cat > containerd/config.toml << T
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
[grpc]
  address = "$dir/containerd/sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni"
T
  cat > kubelet.yaml << Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /$ns
failSwapOn: false
oomScoreAdj: 0
localStorageCapacityIsolation: false
podLogsDir: $dir/pod-logs
containerRuntimeEndpoint: unix://$dir/containerd/sock
clusterDNS: [$ip]
clusterDomain: cluster.local
resolvConf: ""
Y
  cat > kube-proxy.yaml << Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
hostnameOverride: node-$site
clientConnection: {kubeconfig: $KUBECONFIG}
# Everything on the sites' network is routed back: nothing needs another sender's address.
clusterCIDR: 10.0.0.0/8
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0}
Y
  cat > Corefile << C
.:53 {
  bind $ip
  kubernetes cluster.local {
    kubeconfig $KUBECONFIG $site
  }
  errors
}
C
}

control_plane() {
  spawn etcd etcd --data-dir "$dir/etcd" --log-level error --unsafe-no-fsync
  spawn kube-apiserver "$bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --bind-address=$ip --advertise-address=$ip \
    --cert-dir=certs --service-account-key-file=sa.pub --service-account-signing-key-file=sa.key \
    --service-account-issuer=https://kubernetes.default.svc --token-auth-file=tokens.csv --authorization-mode=RBAC \
    --service-cluster-ip-range="$(services $n)" --allow-privileged=true --kubelet-preferred-address-types=InternalIP
}

# Disks: folders of this machine, as many as a release claims, bound when a pod wants one.
volumes() {
  {
    echo '{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: folders, annotations:'
    echo ' {storageclass.kubernetes.io/is-default-class: "true"}}, provisioner: kubernetes.io/no-provisioner}'
    for number in $(seq 24); do
      mkdir -p "volumes/$number"
      chown 10001:10001 "volumes/$number"
      printf -- '---\n{apiVersion: v1, kind: PersistentVolume, metadata: {name: folder-%s}, spec: {storageClassName: folders,' "$number"
      printf ' capacity: {storage: 100Gi}, accessModes: [ReadWriteOnce, ReadWriteMany], persistentVolumeReclaimPolicy: Retain,'
      printf ' hostPath: {path: %s/volumes/%s}}}\n' "$dir" "$number"
    done
  } | "$bin/kubectl" apply -f - > /dev/null
}

up() {
  [ -f etcd.pid ] && { echo "site $site is up already" >&2; exit 1; }
  trap 'echo "site $site did not come up; logs are in $dir" >&2' ERR
  network
  configure
  [ $site = witness ] || node_configuration
  run
  [ $site = witness ] || volumes
  echo "site $site is up: KUBECONFIG=$KUBECONFIG"
}

run() {
  control_plane
  if [ $site = witness ]; then
    wait_for "$bin/kubectl" get --raw /readyz
    return
  fi
  spawn containerd containerd --config containerd/config.toml
  wait_for "$bin/kubectl" get --raw /readyz
  wait_for ctr -a containerd/sock version
  ctr -a containerd/sock -n k8s.io images import "$cache/images/pause.tar" > /dev/null
  spawn kube-controller-manager "$bin/kube-controller-manager" --kubeconfig="$KUBECONFIG" \
    --service-account-private-key-file=sa.key --root-ca-file=certs/apiserver.crt --leader-elect=false --secure-port=0
  spawn kube-scheduler "$bin/kube-scheduler" --kubeconfig="$KUBECONFIG" --leader-elect=false --secure-port=0
  spawn kubelet "$bin/kubelet" --kubeconfig="$KUBECONFIG" --config=kubelet.yaml --root-dir="$dir/kubelet" \
    --hostname-override=node-$site --node-ip=$ip
  spawn kube-proxy "$bin/kube-proxy" --config=kube-proxy.yaml
  spawn coredns "$bin/coredns" -conf Corefile
  PYTHONPATH=$root spawn network-policies "$root/.venv/bin/python" -m e2e.cluster.network_policies "$KUBECONFIG" "$dir" 10.90.0.1
  wait_for "$bin/kubectl" wait --for=condition=Ready node/node-$site --timeout=5s
  # The kubelet of a network namespace does not find this machine's disk; what it does not measure it leaves as it is told.
  "$bin/kubectl" patch node node-$site --subresource=status --type=merge --patch \
    '{"status": {"capacity": {"ephemeral-storage": "100Gi"}, "allocatable": {"ephemeral-storage": "100Gi"}}}' > /dev/null
}

case $verb in
  up) up ;;
  down) down ;;
  cut) ip link set $link down ;;
  mend) ip link set $link up ;;
  kill) kill_all ;;
  back) back ;;
  load) for tar in "${archives[@]}"; do ctr -a containerd/sock -n k8s.io images import "$tar" > /dev/null; done ;;
  *) echo "site.sh <a|b|witness> <up|down|cut|mend|kill|back|load>" >&2; exit 2 ;;
esac
