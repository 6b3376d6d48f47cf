package spread;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import spread.testing.TestNetwork;

/** Memberships of every cause, on a network of daemons. */
class NetworkTest {

    private static List<String> members(SpreadMessage message) {
        return Arrays.stream(message.getMembershipInfo().getMembers())
                .map(Object::toString)
                .collect(Collectors.toList());
    }

    @Test
    void joinLeaveAndDisconnectAreSeenByTheOthers() throws Exception {
        try (TestNetwork network = TestNetwork.start(2);
                Peer a = Peer.at(network.daemon(0), "a")) {
            new SpreadGroup().join(a.connection, "room");
            SpreadMessage own = a.next();
            assertThat(own.getServiceType()).isEqualTo(0x1100);
            assertThat(own.getSender()).hasToString("room");
            assertThat(own.getMembershipInfo().getGroup()).isSameAs(own.getSender());
            assertThat(own.getMembershipInfo().getJoined()).hasToString("#a#d1");
            assertThat(own.getData()).hasSize(56);
            assertThat(own.getType()).isZero();
            assertThat(own.getEndianMismatch()).isFalse();
            assertThat(own.isRegular()).isFalse();

            Peer b = Peer.at(network.daemon(1), "b");
            SpreadGroup group = b.join("room");
            SpreadMessage join = a.next();
            assertThat(join.getMembershipInfo().getJoined()).hasToString("#b#d2");
            assertThat(members(join)).containsExactlyInAnyOrder("#a#d1", "#b#d2");
            assertThat(members(join).get(join.getType())).isEqualTo("#a#d1");
            assertThat(join.getGroups()).hasSize(2);
            assertThat(join.getMembershipInfo().getGroupID())
                    .isNotEqualTo(own.getMembershipInfo().getGroupID());

            group.leave();
            SpreadMessage leave = a.next();
            assertThat(leave.getServiceType()).isEqualTo(0x1200);
            assertThat(leave.getMembershipInfo().getLeft()).hasToString("#b#d2");
            assertThat(members(leave)).containsExactly("#a#d1");
            SpreadMessage self = b.next();
            assertThat(self.getServiceType()).isEqualTo(0x200);
            assertThat(self.getSender()).hasToString("room");
            assertThat(self.getMembershipInfo().isSelfLeave()).isTrue();
            assertThat(self.getGroups()).isEmpty();
            assertThat(self.getData()).isEmpty();
            assertThat(self.getType()).isEqualTo((short) -1);

            b.join("room");
            a.next();
            b.connection.disconnect();
            SpreadMessage gone = a.next();
            assertThat(gone.getServiceType()).isEqualTo(0x1400);
            assertThat(gone.getMembershipInfo().getDisconnected()).hasToString("#b#d2");
            assertThat(gone.getMembershipInfo().getLeft()).hasToString("#b#d2");
        }
    }

    @Test
    void partitionAndMergeHaveSignalsAndTheSameSetsEverywhere() throws Exception {
        try (TestNetwork network = TestNetwork.start(3)) {
            Peer[] peers = new Peer[3];
            for (int i = 0; i < 3; i++) {
                peers[i] = Peer.at(network.daemon(i), "p" + i);
                peers[i].join("room");
            }
            network.partition(new int[] {0, 1}, new int[] {2});
            for (int i = 0; i < 3; i++) {
                SpreadMessage signal = peers[i].membership(SpreadMessage.TRANSITION_MESS);
                assertThat(signal.getSender()).hasToString("room");
                assertThat(signal.getData()).hasSize(12);
                assertThat(signal.getMembershipInfo().getGroupID()).isNull();
                SpreadMessage split = peers[i].membership(SpreadMessage.CAUSED_BY_NETWORK);
                assertThat(split.getServiceType()).isEqualTo(0x1800);
                assertThat(split.getMembershipInfo().getMembers()).hasSize(i == 2 ? 1 : 2);
                assertThat(split.getMembershipInfo().getMyVirtualSynchronySet().getSize())
                        .isEqualTo(i == 2 ? 1 : 2);
            }
            network.heal();
            String order = null;
            for (int i = 0; i < 3; i++) {
                MembershipInfo merge =
                        peers[i].membership(SpreadMessage.CAUSED_BY_NETWORK).getMembershipInfo();
                assertThat(merge.getMembers()).hasSize(3);
                MembershipInfo.VirtualSynchronySet[] sets = merge.getVirtualSynchronySets();
                assertThat(sets).hasSize(2).contains(merge.getMyVirtualSynchronySet());
                assertThat(merge.getMyVirtualSynchronySet().getSize()).isEqualTo(i == 2 ? 1 : 2);
                String text =
                        merge.getGroupID()
                                + Arrays.toString(sets[0].getMembers())
                                + Arrays.toString(sets[1].getMembers())
                                + Arrays.toString(merge.getMembers());
                assertThat(order == null || order.equals(text)).as(order + " / " + text).isTrue();
                order = text;
            }
            for (Peer peer : peers) {
                peer.close();
            }
        }
    }

    @Test
    void deathOfADaemonIsANetworkChange() throws Exception {
        try (TestNetwork network = TestNetwork.start(2);
                Peer a = Peer.at(network.daemon(0), "a");
                Peer b = Peer.at(network.daemon(1), "b")) {
            a.join("room");
            b.join("room");
            network.kill(1);
            SpreadMessage change = a.membership(SpreadMessage.CAUSED_BY_NETWORK);
            assertThat(members(change)).containsExactly("#a#d1");
            assertThat(change.getMembershipInfo().getLeft()).isNull();
        }
    }

    @Test
    void numbersOfABigEndianDaemonAreTheSame() throws Exception {
        for (String order : new String[] {"byte_order=big", "byte_order=little"}) {
            try (TestNetwork network = TestNetwork.start(order);
                    Peer a = Peer.at(network.daemon(0), "a");
                    Peer b = Peer.at(network.daemon(0), "b")) {
                a.join("room");
                b.join("room");
                assertThat(a.next().getMembershipInfo().getGroupID()).isNotNull();
                SpreadMessage message = Peer.message("room");
                message.setType((short) 0x1234);
                a.connection.multicast(message);
                SpreadMessage got = b.data();
                assertThat(got.getType()).isEqualTo((short) 0x1234);
                assertThat(got.getEndianMismatch()).isFalse();
            }
        }
    }
}
