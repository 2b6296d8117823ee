"""Every value of the chart: its type, its bounds and what it is for. Defaults stand in the charts' values.yaml."""

from __future__ import annotations

from helm.schema_terms import (
    Schema,
    address,
    autoscaling,
    choice,
    duration,
    host,
    mapping,
    name,
    number,
    persistence,
    placement,
    port,
    public_service,
    quantity,
    resources,
    section,
    several,
    switch,
    text,
    tolerations,
    url,
)

SERVICES = ("router", "cti", "ivr", "recording", "omnichannel", "analytics", "directory", "gateway")
IMAGES = (*SERVICES, "media", "issuer", "kafka", "clickhouse", "tools")
_SITE = "^[a-z][a-z0-9-]{0,15}$"
_NETWORK = r"^[0-9a-fA-F.:]+/[0-9]{1,3}$"
_VOTER = r"^$|^lease:[a-z0-9-]{1,63}$|^[A-Za-z0-9.-]+:[0-9]{1,5}$"
_BROKER: Schema = {"type": "string", "description": "host:port", "pattern": r"^[^\s:,]+:[0-9]{1,5}$"}
LOG_LEVELS = ("debug", "info", "warning", "error")


def _service(**own: Schema) -> dict[str, Schema]:
    return {
        "logLevel": choice("Lowest level that is logged; that of global.logLevel if empty.", "", *LOG_LEVELS),
        "drainSeconds": number("From SIGTERM to the hard end: what is under way is finished or handed over.", 1, 600),
        **own,
        **placement(),
    }


def _replicas(about: str) -> Schema:
    return number(about, 1, 12)


CHARTS: dict[str, dict[str, Schema]] = {
    "router": _service(
        replicas=_replicas("Pods; they share the 12 partitions, and each follows all of them."),
        autoscaling=autoscaling(),
        pump=choice("Who reads the inputs: a Faust app, or a plain consumer.", "faust", "plain"),
    ),
    "cti": _service(
        hostNetwork=switch(
            "Whether the edge uses its node's network and address. Not allowed by the restricted Pod Security Standard."
        ),
        sip=section(
            "The SIP edge.",
            port=port("The port of SIP by UDP and TCP, in the pod and outside alike."),
            tcp=switch("Whether SIP by TCP is served."),
            advertise=host(
                "The host that phones and trunks reach the edge at, in Via and Contact: it must stay while pods come and go. "
                "`node`: the node's address; empty: the pod's, for phones inside the cluster."
            ),
            realm=text("The realm of phones' digests and the host of their addresses.", r"^[A-Za-z0-9.-]+$"),
            requestsPerSecond=number("More from one source are refused; 0: no limit.", 0),
            nonce=section(
                "What the digest's nonces are signed with.",
                existingSecret=name("Secret with the key `nonce-secret`; made by the release if empty."),
            ),
            service=section(
                "The address of SIP.",
                type=choice("How it is reached from outside.", "ClusterIP", "NodePort", "LoadBalancer"),
                address=host("A fixed address: the load balancer's, or with ClusterIP the Service's."),
                externalIPs=several("Addresses of nodes that are routed to it as well.", {"type": "string"}),
                annotations=mapping("For the load balancer."),
                sourceRanges=several("Networks that a load balancer lets in; all if empty.", {"type": "string"}),
            ),
        ),
        routeTries=number("Tries of 2 s to put a contact in line before the default treatment.", 1),
        persistence=persistence(
            "Facts of calls while Kafka is away, and contacts' keys where PostgreSQL has them not."
        ),
    ),
    "ivr": _service(replicas=_replicas("Pods."), autoscaling=autoscaling()),
    "recording": _service(
        seal=switch("Whether kept files are sealed. Off is for demonstrations."),
        retention=duration("How long recordings are kept after they were sealed; 0s: for ever."),
        rtp=section(
            "UDP ports where copies of calls' audio are taken, two for each call.",
            first=port("The first."),
            last=port("The last."),
        ),
        persistence=persistence("Recordings, their catalogue and keys where PostgreSQL has them not."),
    ),
    "omnichannel": _service(
        replicas=_replicas("Pods; more than one needs contacts' keys in PostgreSQL."),
        autoscaling=section(
            "Pods by customers' WebSockets, by KEDA, which is installed beforehand.",
            enabled=switch("Whether a ScaledObject sets the number of pods."),
            min=number("Fewest pods.", 1, 12),
            max=number("Most pods.", 1, 12),
            sessionsPerPod=number("WebSockets that a pod is meant to hold.", 1),
        ),
        customerTokens=section(
            "What a customer comes back to a conversation with.",
            existingSecret=name(
                "Secret with the key `customer-token-secret`; derived from the workload secret if empty."
            ),
            lifetime=duration("How long a customer may come back."),
        ),
        idleTimeout=duration("Silence after which a conversation is closed."),
        reconnectGrace=duration("How long a broken connection may stay away."),
        routePatience=duration("How long the router is asked for before giving up."),
        messagesPerSecond=number("Messages that a customer may send in a second.", 1),
        messageBurst=number("Messages that a customer may send at once.", 1),
        mostConnections=number("WebSockets at once in a pod.", 1),
        service=public_service("customers' WebSockets are"),
        sites=public_service("it is by the other site's omnichannel, with gRPC,"),
        persistence=persistence("Contacts' keys where PostgreSQL has them not."),
    ),
    "analytics": _service(
        retentionDays=number("Days that rows are kept; 0: for ever.", 0),
        traceRetentionDays=number("Days that traces are kept; 0: for ever.", 0),
        flushEvery=duration("How long a batch of rows collects."),
        batchRecords=number("A batch's most records.", 1, 100_000),
        batchBytes=number("A batch ends at this size.", 1_000),
        persistence=persistence("How far events are inserted."),
    ),
    "directory": _service(
        replicas=_replicas("Pods."),
        prompts=several("Prompts that flows may name; those of the images if empty.", {"type": "string"}),
    ),
    "gateway": _service(
        replicas=_replicas("Pods."),
        autoscaling=autoscaling(),
        corsOrigins=several("Origins whose pages may call; `*`: every one.", {"type": "string"}),
        bodyLimit=number("The largest request body in bytes.", 1024, 8 << 20),
        concurrencyLimit=number("More connections at a time are told 503.", 1),
        swaggerAssets=text("URL of a folder with Swagger UI's files; the public one if empty."),
        service=public_service("HTTP is"),
    ),
    "media": {
        "hostNetwork": switch(
            "Whether audio uses the node's network and address; otherwise phones must reach pods. "
            "Not allowed by the restricted Pod Security Standard."
        ),
        "rtp": section(
            "UDP ports of audio, four for each call.", first=number("The first.", 1024, 65534), last=port("The last.")
        ),
        "timeoutSeconds": number("A call without a packet for this long is deleted.", 10),
        "updates": choice(
            "OnDelete: an upgrade leaves the pod as it is, and its calls whole, until somebody deletes it. "
            "RollingUpdate: an upgrade ends the audio of live calls.",
            "OnDelete",
            "RollingUpdate",
        ),
        "drainSeconds": number("From SIGTERM to the hard end.", 1, 600),
        **placement(),
    },
    "issuer": {"enabled": switch("Whether a token issuer runs, for trials."), **placement()},
    "kafka": {
        "enabled": switch("Whether one broker of Apache Kafka runs, for trials."),
        "heapMb": number("Java's heap in MB.", 128),
        "advertise": address("Where clients come back to, host:port; its Service if empty."),
        "service": public_service("it is, by the other site,"),
        "persistence": persistence("Its log."),
        **placement(),
    },
    "clickhouse": {
        "enabled": switch("Whether a ClickHouse endpoint runs, for trials."),
        "memoryBytes": number("What all its queries together may use.", 100_000_000),
        "persistence": persistence("Its tables."),
        **placement(),
    },
}

GLOBAL: dict[str, Schema] = {
    "production": switch(
        "Refuse what a site that serves customers must not do without: TLS everywhere, no part of a trial, disks, Secrets "
        "that were made beforehand."
    ),
    "image": section(
        "Where images come from.",
        registry=text("Registry and path before /junctor-<name>.", r"^[^ /][^ ]*[^ /]$"),
        tag=text("Their tag; the chart's appVersion if empty."),
        pullPolicy=choice("When they are pulled.", "IfNotPresent", "Always", "Never"),
        pullSecrets=several("Secrets for the registry.", {"type": "string"}),
        digests=section(
            "Images by digest, which wins over the tag.",
            **{image: text(f"Digest of junctor-{image}.", "^(sha256:[0-9a-f]{64})?$") for image in IMAGES},
        ),
    ),
    "clusterDomain": text("The cluster's DNS domain.", r"^[a-z0-9.-]+$"),
    "site": section(
        "The data centre.",
        name=text("Its name.", _SITE),
        takeover=choice(
            "What happens when the other site is lost: `automatic` needs a witness, `byHand` a person (`junctor site takeover`).",
            "automatic",
            "byHand",
        ),
        preferredPartitions=several(
            "The router's and the directory's partitions that this site leads where no site does.",
            {"type": "integer", "minimum": 0, "maximum": 11},
        ),
        voters=section(
            "Where the voters of the register of who leads are.",
            own=choice("This site's own: a process (voter.enabled), or a Lease in this cluster.", "process", "lease"),
            peer=text("The other site's: host:port, or lease:NAMESPACE with a kubeconfig.", _VOTER),
            witness=text("The witness in a third place: host:port, or lease:NAMESPACE with a kubeconfig.", _VOTER),
            kubeconfigs=section(
                "How Leases in other clusters are reached.",
                existingSecret=name("Secret with a kubeconfig under the key `peer` or `witness`."),
            ),
        ),
        peer=section(
            "The other one of two active sites.",
            name=text("Its name; empty: there is one site.", f"^$|{_SITE}"),
            sip=address("Its SIP edge, host:port: agents of either site serve callers of either."),
            omnichannel=section(
                "Its omnichannel: agents of either site write in chats of either, and who loses a site comes to the other.",
                grpc=address(
                    "Where it is called, host:port (omnichannel.sites there); with global.tls its certificate must be of "
                    "the same authority and name this host."
                ),
                web=url("Where its customers' WebSockets are, which customers of this site are told.", "wss?"),
            ),
            existingSecret=name(
                "Secret with the key `sites-secret`, equal at both sites: edges sign calls between them."
            ),
            kafka=section(
                "Its Kafka, from which inputs, journals and the directory's state are mirrored.",
                brokers=several("Its brokers as seen from here, host:port.", _BROKER),
                claimed=switch(
                    "Whether a take-over writes its claim there too, so that nothing decided is lost while that Kafka lives. "
                    "It must take the same login and certificates as this site's."
                ),
                tls=section("Encryption.", existingSecret=name("Secret with its `ca.crt`; no TLS if empty.")),
                login=section(
                    "SASL (SCRAM-SHA-512).",
                    username=text("The user that may read there."),
                    existingSecret=name("Secret with the key `password`; no login if empty."),
                ),
            ),
        ),
    ),
    "monitoring": section(
        "Metrics for Prometheus by its operator, alerts, and dashboards for Grafana.",
        enabled=switch("Whether PodMonitors, PrometheusRules and dashboards are made."),
        namespace=name("The namespace that Prometheus runs in."),
        prometheus=url("Prometheus, which KEDA asks."),
        labels=mapping("Labels by which Prometheus and Grafana find them."),
    ),
    "logLevel": choice("Lowest level that is logged.", *LOG_LEVELS),
    "tracing": switch("Whether spans are recorded."),
    "metricsInterval": duration("How often metrics are told; 0s: never."),
    "storageClass": name("Storage class of disks; the cluster's default if empty."),
    "spread": choice("What happens to a pod that cannot be on a node of its own.", "ScheduleAnyway", "DoNotSchedule"),
    "priorityClassName": name("Priority of all pods."),
    "nodeSelector": mapping("Labels of the nodes where pods may run."),
    "tolerations": tolerations("Taints that pods bear."),
    "podAnnotations": mapping("Annotations of all pods."),
    "kafka": section(
        "Kafka of your own.",
        brokers=several("Its brokers, host:port.", _BROKER),
        tls=section(
            "Encryption.",
            enabled=switch("Whether connections are encrypted."),
            existingSecret=name("Secret with `ca.crt`, who signed the brokers' certificates; the system's if empty."),
            clientCertificate=switch("Whether that Secret's `tls.crt` and `tls.key` are shown to brokers."),
        ),
        login=section(
            "SASL.",
            existingSecret=name("Secret with `username` and `password`; no login if empty."),
            mechanism=choice("How to log in.", "plain", "scram-sha-256", "scram-sha-512"),
        ),
        topics=section("Topics that are made where they are not there.", replicationFactor=number("Copies.", 1, 9)),
    ),
    "strimzi": section(
        "Kafka by the Strimzi operator, which is installed beforehand: brokers that are controllers too, topics, and a user "
        "with rights of its own for each service.",
        enabled=switch("Whether its custom resources are made."),
        version=text("Kafka's version; the operator's newest if empty.", r"^([0-9]+\.[0-9]+\.[0-9]+)?$"),
        brokers=number("Brokers.", 1, 30),
        storage=quantity("A broker's disk."),
        resources=resources(),
        external=section(
            "A listener for the other site.",
            type=choice("How it is reached.", "none", "loadbalancer", "nodeport"),
            bootstrap=host("The name or address that its certificate is for."),
        ),
    ),
    "clickhouseOperator": section(
        "ClickHouse by Altinity's operator, which is installed beforehand.",
        enabled=switch("Whether its custom resource is made."),
        storage=quantity("Its disk."),
        image=text("Its image.", r"^\S+$"),
    ),
    "cloudnativepg": section(
        "PostgreSQL by CloudNativePG, which is installed beforehand.",
        enabled=switch("Whether its custom resource is made."),
        instances=number("Servers: one that is written, the others follow.", 1, 9),
        storage=quantity("A server's disk."),
    ),
    "certManager": section(
        "Certificates of services by cert-manager, which is installed beforehand.",
        issuer=name("The issuer, one that has an authority of its own; empty: no certificates are asked for."),
        kind=choice("What it is.", "ClusterIssuer", "Issuer"),
    ),
    "clickhouse": section(
        "ClickHouse of your own.",
        http=url("Its HTTP interface, for inserts."),
        native=address("Its native protocol, for reports."),
        user=text("The user, with all rights on the database.", r"^\S+$"),
        database=text("The database; made if it does not exist.", r"^\w+$"),
        tls=switch("Whether the native protocol is spoken with TLS."),
        existingSecret=name("Secret with the key `password`."),
        authority=section(
            "Who signed ClickHouse's certificates.",
            existingSecret=name("Secret with the key `ca.crt`; the system's authorities if empty."),
        ),
    ),
    "postgresql": section(
        "PostgreSQL of your own, for contacts' keys, the directory's lists and the catalogue of recordings. Without it they "
        "are in files of the pods.",
        host=host("Its host; empty: none is used."),
        port=port("Its port."),
        database=text("The database, which exists.", r"^\w+$"),
        sslMode=choice(
            "How the connection is encrypted, as libpq has it.", "disable", "require", "verify-ca", "verify-full"
        ),
        existingSecret=name("Secret with `username` and `password`, without characters that a URL escapes."),
        authority=section(
            "Who signed its certificate.",
            existingSecret=name("Secret with the key `ca.crt`; the system's authorities if empty."),
        ),
    ),
    "tokens": section(
        "The issuer of tokens (OIDC).",
        issuer=text("The `iss` of tokens.", r"^\S+$"),
        audience=text("The `aud` of tokens.", r"^\S+$"),
        jwks=url("Its public keys."),
        url=url("Where services fetch their own tokens."),
        existingSecret=name("Secret with the key `workload-secret`, which services show there."),
    ),
    "keys": section(
        "Personal data.",
        existingSecret=name("Secret with the key `master-key` (64 hexadecimal digits), which wraps contacts' keys."),
    ),
    "tls": section(
        "TLS between services.",
        enabled=switch("Whether services speak TLS."),
        existingSecret=name("Secret with `tls.crt`, `tls.key` and `ca.crt`, valid for all services."),
    ),
    "media": section(
        "A media server of your own in place of junctor-media.", ng=address("Its ng port (rtpengine), host:port.")
    ),
    "prompts": section(
        "Prompts of your own.",
        existingClaim=name("Volume with <language>/<id>.wav for cti and media; those of the images if empty."),
    ),
}

UMBRELLA: dict[str, Schema] = {
    "networkPolicies": section(
        "Who may talk to whom.",
        enabled=switch("Whether all traffic is refused but what each part needs."),
        phones=several("Networks of phones, trunks and their audio.", {"type": "string", "pattern": _NETWORK}),
        clients=several(
            "Namespaces whose pods may call services by gRPC and ask ClickHouse, beside those of the release.",
            {"type": "string"},
        ),
    ),
    "voter": section(
        "This site's own voter in the register of who leads, for two sites.",
        enabled=switch("Whether it runs."),
        service=public_service("it is"),
    ),
    "routes": section(
        "HTTP from outside by a Gateway (Gateway API), which has TLS.",
        enabled=switch("Whether HTTPRoutes are made."),
        gateways=several(
            "The Gateways.",
            section(
                "One Gateway.",
                name=text("Its name."),
                namespace=name("Its namespace; that of the release if left out."),
                sectionName=name("Its listener; all if left out."),
            ),
        ),
        http=section("The gateway service.", hostnames=several("Its host names.", {"type": "string"})),
        chat=section("Customers' WebSockets.", hostnames=several("Their host names.", {"type": "string"})),
    ),
}
