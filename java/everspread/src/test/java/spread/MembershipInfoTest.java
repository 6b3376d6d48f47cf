package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Vector;
import org.junit.jupiter.api.Test;

/** Membership messages taken apart, without a connection. */
class MembershipInfoTest {

    private static final SpreadGroup ROOM = new SpreadGroup(null, "room");

    private static byte[] body(ByteOrder order, int own, String[]... sets) {
        ByteBuffer body = ByteBuffer.allocate(4096).order(order);
        body.putInt(1).putInt(-2).putInt(3).putInt(sets.length).putInt(own);
        for (String[] set : sets) {
            body.putInt(set.length);
            for (String name : set) {
                body.put(Arrays.copyOf(name.getBytes(StandardCharsets.ISO_8859_1), 32));
            }
        }
        return Arrays.copyOf(body.array(), body.position());
    }

    private static MembershipInfo info(int service, byte[] body, boolean flip) {
        Vector<SpreadGroup> members =
                new Vector<>(Arrays.asList(new SpreadGroup(null, "#a#d"), new SpreadGroup(null, "#b#d")));
        return new MembershipInfo(null, service, members, ROOM, body, flip);
    }

    @Test
    void joinNamesTheJoiner() {
        for (ByteOrder order : new ByteOrder[] {ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN}) {
            MembershipInfo info =
                    info(
                            0x1100,
                            body(order, 0, new String[] {"#b#d"}),
                            order == ByteOrder.LITTLE_ENDIAN);
            assertThat(info.isRegularMembership()).isTrue();
            assertThat(info.isCausedByJoin()).isTrue();
            assertThat(info.isSelfLeave()).isFalse();
            assertThat(info.getGroup()).isSameAs(ROOM);
            assertThat(info.getGroupID()).hasToString("1 -2 3");
            assertThat(info.getJoined()).hasToString("#b#d");
            assertThat(info.getLeft()).isNull();
            assertThat(info.getDisconnected()).isNull();
            assertThat(info.getVirtualSynchronySets()).isNull();
            assertThat(info.getMyVirtualSynchronySet()).isNull();
            assertThat(info.getMembers()).hasSize(2).isNotSameAs(info.getMembers());
        }
    }

    @Test
    void leaveAndDisconnectNameTheOneWhoWent() {
        byte[] body = body(ByteOrder.BIG_ENDIAN, 0, new String[] {"#c#d"});
        MembershipInfo leave = info(0x1200, body, false);
        assertThat(leave.getLeft()).hasToString("#c#d");
        assertThat(leave.getDisconnected()).isNull();
        assertThat(leave.getJoined()).isNull();
        assertThat(leave.isSelfLeave()).isFalse();
        MembershipInfo disconnect = info(0x1400, body, false);
        assertThat(disconnect.isCausedByDisconnect()).isTrue();
        assertThat(disconnect.getLeft()).hasToString("#c#d");
        assertThat(disconnect.getDisconnected()).hasToString("#c#d");
    }

    @Test
    @SuppressWarnings("deprecation")
    void networkChangeHasTheSetsAndTheOwnOneAmongThem() {
        byte[] body =
                body(ByteOrder.BIG_ENDIAN, 36, new String[] {"#d#3"}, new String[] {"#a#d", "#b#d"});
        MembershipInfo info = info(0x1800, body, false);
        assertThat(info.isCausedByNetwork()).isTrue();
        MembershipInfo.VirtualSynchronySet[] sets = info.getVirtualSynchronySets();
        assertThat(sets).hasSize(2).isSameAs(info.getVirtualSynchronySets());
        assertThat(info.getMyVirtualSynchronySet()).isSameAs(sets[1]);
        assertThat(sets[1].getSize()).isEqualTo(2);
        assertThat(sets[1].getCapacity()).isEqualTo(2);
        assertThat(sets[1].getMembers()).isSameAs(sets[1].getMembers());
        assertThat(sets[1].getMembers()[1]).hasToString("#b#d");
        assertThat(info.getStayed()).isSameAs(sets[1].getMembers());
        assertThat(info.getJoined()).isNull();
        assertThat(info.getLeft()).isNull();
        assertThatExceptionOfType(ArrayIndexOutOfBoundsException.class)
                .isThrownBy(() -> sets[0].addMember(ROOM));
        MembershipInfo stranger =
                info(0x1800, body(ByteOrder.BIG_ENDIAN, 4, new String[] {"#d#3"}), false);
        assertThat(stranger.getMyVirtualSynchronySet()).isNull();
        assertThat(stranger.getStayed()).isNull();
    }

    @Test
    @SuppressWarnings("deprecation")
    void signalAndOwnLeaveHaveNoLists() {
        MembershipInfo transition = info(0x2000, new byte[12], false);
        assertThat(transition.isTransition()).isTrue();
        MembershipInfo left = info(0x200, new byte[0], false);
        assertThat(left.isSelfLeave()).isTrue();
        assertThat(left.isCausedByLeave()).isTrue();
        for (MembershipInfo info : new MembershipInfo[] {transition, left}) {
            assertThat(info.isRegularMembership()).isFalse();
            assertThat(info.getMembers()).isNull();
            assertThat(info.getGroupID()).isNull();
            assertThat(info.getJoined()).isNull();
            assertThat(info.getLeft()).isNull();
            assertThat(info.getDisconnected()).isNull();
            assertThat(info.getStayed()).isNull();
            assertThat(info.getVirtualSynchronySets()).isNull();
            assertThat(info.getMyVirtualSynchronySet()).isNull();
        }
    }

    @Test
    void noSetsMeansNobody() {
        byte[] empty = body(ByteOrder.BIG_ENDIAN, 0);
        assertThat(info(0x1100, empty, false).getJoined()).isNull();
        assertThat(info(0x1200, empty, false).getLeft()).isNull();
        assertThat(info(0x1400, empty, false).getDisconnected()).isNull();
        assertThat(info(0x1100, body(ByteOrder.BIG_ENDIAN, 0, new String[0]), false).getJoined())
                .isNull();
    }

    @Test
    void nameOf32BytesEndsThere() {
        String name = "12345678901234567890123456789012";
        byte[] body = body(ByteOrder.BIG_ENDIAN, 0, new String[] {name, "x"});
        assertThat(info(0x1100, body, false).getJoined()).hasToString(name);
    }

    @Test
    void brokenBodiesAreRefusedBeforeAnythingIsAllocated() {
        byte[] good = body(ByteOrder.BIG_ENDIAN, 0, new String[] {"#b#d"});
        for (int length = 0; length < good.length; length++) {
            byte[] cut = Arrays.copyOf(good, length);
            assertThatExceptionOfType(IllegalArgumentException.class)
                    .as("%d bytes", length)
                    .isThrownBy(() -> info(0x1100, cut, false));
        }
        for (int count : new int[] {-1, 2, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            for (int at : new int[] {12, 20}) {
                byte[] wrong = good.clone();
                ByteBuffer.wrap(wrong).putInt(at, count);
                assertThatExceptionOfType(IllegalArgumentException.class)
                        .as("%d at %d", count, at)
                        .isThrownBy(() -> info(0x1100, wrong, false));
            }
        }
    }
}
