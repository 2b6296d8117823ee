"""Values that make no sense end an install with sentences that say what to change."""

import pytest

from helm.rendered import INSTALLS, template

PRODUCTION, SINGLE = INSTALLS["production"], INSTALLS["single"]
OPERATORS, SITE_A, TRIAL_B = (INSTALLS[name] for name in ("production-operators", "production-site-a", "single-site-b"))


def refused(files, *settings):
    done = template(files, *(f"--set={one}" for one in settings))
    assert done.returncode != 0, "it was taken"
    return done.stderr


@pytest.mark.parametrize(
    ("files", "settings", "says"),
    [
        (SINGLE, ["kafka.brokers={a:1}"], "at '/kafka': additional properties 'brokers' not allowed"),
        (SINGLE, ["globl.site.name=b"], "additional properties 'globl' not allowed"),
        ([], [], "There is no Kafka: set global.kafka.brokers to your brokers, or"),
        ([], [], "There is no ClickHouse: set both global.clickhouse.http and"),
        ([], [], "There is no issuer of tokens: set both global.tokens.jwks and"),
        (SINGLE, ["global.kafka.brokers={kafka:9092}"], "kafka.enabled and global.kafka.brokers are both set"),
        (SINGLE, ["global.strimzi.enabled=true"], "kafka.enabled and global.strimzi.enabled are both set"),
        (SINGLE, ["global.clickhouse.http=http://c:8123"], "there can be one ClickHouse only: keep one of them"),
        (SINGLE, ["global.tokens.jwks=http://i/keys"], "there can be one issuer of tokens only"),
        (PRODUCTION, ["global.clickhouse.existingSecret="], "name the Secret with the password of global.clickhouse.user"),
        (PRODUCTION, ["global.tokens.existingSecret="], "global.tokens.existingSecret is missing"),
        (PRODUCTION, ["global.postgresql.existingSecret="], "global.postgresql.existingSecret is missing"),
        (PRODUCTION, ["global.keys.existingSecret="], "openssl rand -hex 32"),
        (PRODUCTION, ["global.tls.enabled=false"], "global.production asks for TLS between services"),
        (PRODUCTION, ["global.tls.existingSecret="], "there are no certificates"),
        (PRODUCTION, ["global.kafka.tls.enabled=false"], "global.production asks for TLS to Kafka"),
        (PRODUCTION, ["global.clickhouse.http=http://c:8123"], "give its https:// address"),
        (PRODUCTION, ["global.clickhouse.tls=false"], "give the TLS port (9440)"),
        (PRODUCTION, ["global.tokens.url=http://login/token"], "global.production asks for TLS to the issuer"),
        (PRODUCTION, ["global.postgresql.sslMode=require"], "set verify-full"),
        (PRODUCTION, ["gateway.service.type=LoadBalancer"], "set routes to a Gateway whose listener has TLS"),
        (PRODUCTION, ["issuer.enabled=true"], "issuer.enabled is for trials"),
        (PRODUCTION, ["cti.persistence.enabled=false"], "what cti keeps would be lost with its pod"),
        (PRODUCTION, ["recording.seal=false"], "recordings would be stored as anybody can hear them"),
        (PRODUCTION, ["gateway.corsOrigins={*}"], "name the origins of your pages"),
        (PRODUCTION, ["cti.sip.advertise="], "give the address of SIP that phones and trunks are told"),
        (PRODUCTION, ["cti.sip.advertise=node"], "set it to the load balancer's address"),
        (PRODUCTION, ["global.postgresql.host="], "contacts' keys are in files that one pod has"),
        (PRODUCTION, ["global.cloudnativepg.enabled=true"], "there can be one PostgreSQL only"),
        (PRODUCTION, ["global.kafka.tls.clientCertificate=true", "global.kafka.tls.existingSecret="], "name its Secret"),
        (PRODUCTION, ["global.monitoring.prometheus="], "needs the metrics"),
        (PRODUCTION, ["gateway.autoscaling.min=9"], "gateway.autoscaling.min 9 is more than"),
        (OPERATORS, ["global.certManager.issuer="], "cert-manager's issuer in global.certManager.issuer"),
        (OPERATORS, ["global.kafka.login.existingSecret=x"], "are for brokers of your own, and there are none"),
        (SITE_A, ["global.site.name=b"], "global.site.name and global.site.peer.name are both b"),
        (SITE_A, ["global.site.peer.kafka.brokers=null"], "Give its brokers as they are reached from here"),
        (SITE_A, ["global.site.peer.kafka.login.username="], "name the user whose password is in kafka-login-b"),
        (SITE_A, ["global.site.peer.kafka.tls.existingSecret="], "asks for TLS between sites"),
        (TRIAL_B, ["global.site.peer.name="], "the other site has no name"),
        (TRIAL_B, ["global.site.voters.witness="], "global.site.takeover is automatic, but there is no witness"),
        (TRIAL_B, ["global.site.takeover=byHand"], "byHand, which asks no witness"),
        (TRIAL_B, ["global.site.voters.peer="], "give the place of a's own voter"),
        (TRIAL_B, ["voter.enabled=false"], "turn the voter on, or set lease"),
        (TRIAL_B, ["global.site.peer.sip="], "global.site.peer.sip is missing"),
        (TRIAL_B, ["global.site.peer.omnichannel.web="], "told where to connect"),
        (TRIAL_B, ["global.site.peer.omnichannel.grpc="], "agents here cannot write in the chats of site a"),
        (SINGLE, ["global.site.peer.omnichannel.grpc=a:1"], "omnichannel is set, but the other site has no name"),
        (SITE_A, ["global.site.peer.omnichannel.web=ws://chat.b.example.com/"], "customers would write in the clear"),
        (TRIAL_B, ["global.site.peer.existingSecret="], "make a Secret with sites-secret, the same at both sites"),
        (TRIAL_B, ["global.keys.existingSecret="], "both sites need the same master-key"),
        (TRIAL_B, ["global.tokens.existingSecret="], "must sign with the same key"),
        (SITE_A, ["voter.enabled=true"], "voter.enabled is set, but global.site.voters.own is lease"),
        (SITE_A, ["global.site.voters.kubeconfigs.existingSecret="], "reached by a kubeconfig; name the Secret"),
        (SINGLE, ["cti.sip.port=5060"], "choose one from 30000 to 32767"),
        (SINGLE, ["cti.sip.service.address=192.0.2.1"], "has no meaning with type NodePort"),
        (TRIAL_B, ["omnichannel.sites.type=ClusterIP"], "omnichannel.sites.nodePort is 30552, but"),
        (SINGLE, ["gateway.service.type=ClusterIP"], "set the type to NodePort, or leave the port out"),
        (SINGLE, ["media.rtp.last=16401"], "raise the last"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(files, settings, says):
    assert says in refused(files, *settings)


def test_all_that_is_wrong_is_told_at_once():
    told = refused(SINGLE, "global.production=true")
    for part in ("kafka.enabled is for trials", "clickhouse.enabled is for trials", "issuer.enabled is for trials"):
        assert part in told
    assert told.count("\n- ") >= 6


def test_a_missing_secret_is_told_where_a_cluster_can_be_asked():
    """`lookup` finds nothing without a cluster, as it finds nothing in one where the Secret is missing."""
    told = template(PRODUCTION, "--api-versions", "v1/Secret").stderr
    assert "global.keys.existingSecret is personal-data, and there is no such Secret in the namespace centre" in told
    assert "make it with master-key, or correct the name" in told
    assert told.count("there is no such Secret") == 10
