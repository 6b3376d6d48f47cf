package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import spread.testing.TestNetwork;
import spread.testing.TestNetworkExtension;

/** Sending: what goes over the wire, what is refused. */
class SendTest {

    @RegisterExtension
    static final TestNetworkExtension NETWORK = TestNetworkExtension.daemons(1);

    private Peer peer;

    @BeforeEach
    void connect() throws Exception {
        peer = Peer.at(NETWORK.network().daemon(0), "sender");
    }

    @AfterEach
    void disconnect() throws Exception {
        peer.close();
    }

    private void refused(SpreadMessage message, String text) {
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> peer.connection.multicast(message))
                .withMessageContaining(text);
    }

    /** The connection still works. */
    private void works() throws Exception {
        peer.join("alive");
        peer.send("alive", (byte) 1);
        assertThat(peer.data().getData()).containsExactly(1);
    }

    @Test
    void framesAreBigEndianWithoutMarkers() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            SpreadMessage message = Peer.message("room", new byte[] {1, 2, 3});
            message.addGroup("\u00e4\u4e2d");
            message.setSelfDiscard(true);
            message.setType((short) 0x1234);
            client.multicast(message);
            ByteBuffer frame = ByteBuffer.wrap(daemon.readFrame());
            assertThat(frame.limit()).isEqualTo(48 + 64 + 3);
            assertThat(frame.getInt(0)).isEqualTo(0x44);
            assertThat(name(frame, 4)).isEqualTo("#me#fake");
            assertThat(frame.getInt(36)).isEqualTo(2);
            assertThat(frame.getInt(40)).isEqualTo(0x123400);
            assertThat(frame.getInt(44)).isEqualTo(3);
            assertThat(name(frame, 48)).isEqualTo("room");
            assertThat(name(frame, 80)).isEqualTo("\u00e4?");
            assertThat(frame.get(114)).isEqualTo((byte) 3);

            for (short type : new short[] {-1, -2, 0, 1, Short.MAX_VALUE, Short.MIN_VALUE}) {
                message.setType(type);
                client.multicast(message);
                assertThat(ByteBuffer.wrap(daemon.readFrame()).getInt(40))
                        .isEqualTo((type & 0xffff) << 8);
            }
            new SpreadGroup().join(client, "a?b");
            frame = ByteBuffer.wrap(daemon.readFrame());
            assertThat(frame.getInt(0)).isEqualTo(0x10000);
            assertThat(frame.getInt(40)).isZero();
            assertThat(name(frame, 48)).isEqualTo("a?b");
            new SpreadGroup(client, "a?b").leave();
            frame = ByteBuffer.wrap(daemon.readFrame());
            assertThat(frame.getInt(0)).isEqualTo(0x20000);
            client.disconnect();
        }
    }

    private static String name(ByteBuffer frame, int at) {
        byte[] bytes = Arrays.copyOfRange(frame.array(), at, at + 32);
        return new String(bytes, StandardCharsets.ISO_8859_1).replaceAll("\0+$", "");
    }

    @Test
    void nullsAreRefusedAndNothingIsSent() throws Exception {
        assertThatNullPointerException()
                .isThrownBy(() -> peer.connection.multicast((SpreadMessage) null));
        SpreadMessage message = new SpreadMessage();
        message.addGroup((SpreadGroup) null);
        assertThatNullPointerException().isThrownBy(() -> peer.connection.multicast(message));
        SpreadMessage nameless = new SpreadMessage();
        nameless.addGroup(new SpreadGroup());
        assertThatNullPointerException().isThrownBy(() -> peer.connection.multicast(nameless));
        works();
    }

    @Test
    void sizeIsLimitedWithHeaderAndGroups() throws Exception {
        peer.join("big");
        SpreadMessage message = Peer.message("big", new byte[139_920]);
        message.getData()[139_919] = 7;
        peer.connection.multicast(message);
        assertThat(peer.data().getData()).hasSize(139_920).endsWith(7);
        refused(
                Peer.message("big", new byte[139_921]), "Message is too long for a Spread Message");
        SpreadMessage two = Peer.message("big", new byte[139_889]);
        two.addGroup("other");
        refused(two, "Message is too long for a Spread Message");
        works();
    }

    @Test
    void messageToNobodyIsSent() throws Exception {
        peer.connection.multicast(new SpreadMessage());
        works();
    }

    @Test
    void longNamesAndTooManyGroupsAreRefused() throws Exception {
        String longest = "1234567890123456789012345678901";
        peer.join(longest);
        peer.send(longest, (byte) 5);
        assertThat(peer.data().getGroups()[0]).hasToString(longest);
        refused(Peer.message(longest + "2"), "at most 31");
        SpreadGroup group = new SpreadGroup();
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> group.join(peer.connection, longest + "2"))
                .withMessageContaining("at most 31");
        SpreadMessage many = new SpreadMessage();
        for (int i = 0; i < 100; i++) {
            many.addGroup("g" + i);
        }
        peer.connection.multicast(many);
        many.addGroup("one too many");
        refused(many, "Too many groups");
        works();
    }

    @Test
    void serviceTypesThatWouldEndTheConnectionAreRefused() throws Exception {
        for (int service :
                new int[] {0, 0x3f, 0x6, 0x40, 0x100, 0x1000, 0x80000, 0x40000, 0x10002, 0x400002}) {
            SpreadMessage message = Peer.message("room");
            message.setServiceType(service);
            refused(message, "Illegal service type: 0x" + Integer.toHexString(service));
        }
        works();
    }

    @Test
    void otherBitsPassToTheReceiver() throws Exception {
        peer.join("bits");
        for (int service : new int[] {0x4002, 0x800002, 0x10000002}) {
            SpreadMessage message = Peer.message("bits");
            message.setServiceType(service);
            peer.connection.multicast(message);
            assertThat(peer.data().getServiceType()).isEqualTo(service);
        }
        SpreadMessage marked = Peer.message("bits");
        marked.setServiceType(0x80000082);
        peer.connection.multicast(marked);
        assertThat(peer.data().getServiceType()).isEqualTo(0x2);
    }

    @Test
    void requestsPutTogetherByHandWork() throws Exception {
        SpreadMessage join = new SpreadMessage();
        join.setServiceType(SpreadMessage.JOIN_MESS);
        join.addGroup("manual");
        peer.connection.multicast(join);
        assertThat(peer.next().getMembershipInfo().getJoined()).hasToString(peer.name());
        join.setServiceType(SpreadMessage.LEAVE_MESS);
        peer.connection.multicast(join);
        assertThat(peer.next().getMembershipInfo().isSelfLeave()).isTrue();
    }

    @Test
    void arraysAreSentInOrderUpToTheFirstFailure() throws Exception {
        peer.join("array");
        SpreadMessage bad = Peer.message("array");
        bad.setServiceType(0);
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(
                        () ->
                                peer.connection.multicast(
                                        new SpreadMessage[] {
                                            Peer.message("array", (byte) 1),
                                            Peer.message("array", (byte) 2),
                                            bad,
                                            Peer.message("array", (byte) 3)
                                        }));
        peer.send("array", (byte) 4);
        assertThat(peer.data().getData()).containsExactly(1);
        assertThat(peer.data().getData()).containsExactly(2);
        assertThat(peer.data().getData()).containsExactly(4);
    }

    @Test
    void largeArraysArriveInOrderWhateverIsInThem() throws Exception {
        peer.join("many");
        SpreadMessage[] messages = new SpreadMessage[300];
        for (int i = 0; i < messages.length; i++) {
            messages[i] = Peer.message("many", new byte[i % 50 == 49 ? 100_000 : i]);
            messages[i].setType((short) i);
            if (i % 3 == 0) {
                messages[i].addGroup("nobody" + i);
            }
            if (i % 100 == 50) {
                messages[i] = new SpreadMessage();
                messages[i].setServiceType(SpreadMessage.JOIN_MESS);
                messages[i].addGroup("aside" + i);
            }
        }
        peer.connection.multicast(messages);
        for (int i = 0; i < messages.length; i++) {
            if (i % 100 == 50) {
                continue;
            }
            SpreadMessage got = peer.data();
            assertThat(got.getType()).isEqualTo((short) i);
            assertThat(got.getData()).hasSize(messages[i].getData().length);
            assertThat(got.getGroups()).hasSize(i % 3 == 0 ? 2 : 1);
            assertThat(got.getSender()).hasToString(peer.name());
            assertThat(got.getEndianMismatch()).isFalse();
            assertThat(got.getServiceType()).isEqualTo(4);
        }
        assertThatNullPointerException()
                .isThrownBy(
                        () ->
                                peer.connection.multicast(
                                        new SpreadMessage[] {Peer.message("many", (byte) 1), null}));
        assertThat(peer.data().getData()).containsExactly(1);
    }

    /** Fields that are there from the message before are not written again. */
    @Test
    void groupsOfOneMessageDoNotGetIntoTheNext() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            String[][] lists = {
                {"a", "b", "c"},
                {"a", "b", "c"},
                {"a"},
                {"a", "b", "c"},
                {"c", "b", "a"},
                {"b", "b"},
                {},
                {"b", "longer name", "a"},
                {"b", "long", "a"}
            };
            for (int length : new int[] {0, 5, 200}) {
                for (String[] list : lists) {
                    byte[] body = new byte[length];
                    Arrays.fill(body, (byte) 'x');
                    SpreadMessage message = new SpreadMessage();
                    message.addGroups(list);
                    message.setData(body);
                    client.multicast(message);
                    ByteBuffer frame = ByteBuffer.wrap(daemon.readFrame());
                    for (int i = 0; i < list.length; i++) {
                        assertThat(name(frame, 48 + 32 * i)).isEqualTo(list[i]);
                    }
                    byte[] sent =
                            Arrays.copyOfRange(
                                    frame.array(), 48 + 32 * list.length, frame.limit());
                    assertThat(sent).isEqualTo(body);
                    SpreadMessage nameless = new SpreadMessage();
                    nameless.addGroups(new String[] {"z", null});
                    assertThatNullPointerException().isThrownBy(() -> client.multicast(nameless));
                }
            }
            client.multicast(
                    new SpreadMessage[] {Peer.message("a", (byte) 1), Peer.message("b", (byte) 2)});
            assertThat(name(ByteBuffer.wrap(daemon.readFrame()), 48)).isEqualTo("a");
            assertThat(name(ByteBuffer.wrap(daemon.readFrame()), 48)).isEqualTo("b");
            client.disconnect();
        }
    }

    @Test
    void messageAndArrayMayBeUsedAgainAtOnce() throws Exception {
        peer.join("reuse");
        SpreadMessage message = Peer.message("reuse", (byte) 0);
        for (byte i = 0; i < 50; i++) {
            message.getData()[0] = i;
            peer.connection.multicast(message);
        }
        for (byte i = 0; i < 50; i++) {
            assertThat(peer.data().getData()).containsExactly(i);
        }
    }

    @Test
    void joinBindsTheGroupAndLeaveUnbindsIt() throws Exception {
        SpreadGroup group = peer.join("room");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> group.join(peer.connection, "other"))
                .withMessage("Already joined.");
        group.leave();
        assertThat(peer.next().getMembershipInfo().isSelfLeave()).isTrue();
        assertThat(group).hasToString("room");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(group::leave)
                .withMessage("No group to leave.");
        group.join(peer.connection, "other");
        assertThat(peer.next().getSender()).hasToString("other");
    }

    @Test
    void failedJoinLeavesTheGroupFree() throws Exception {
        SpreadGroup group = new SpreadGroup();
        for (String name : new String[] {"a b", "#a", "a\u007f", "\u00e4", "a\n"}) {
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(() -> group.join(peer.connection, name))
                    .withMessage("Illegal character in group name.");
        }
        assertThatNullPointerException().isThrownBy(() -> group.join(peer.connection, null));
        assertThatNullPointerException().isThrownBy(() -> group.join(null, "room"));
        SpreadConnection closed = new SpreadConnection();
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> group.join(closed, "room"))
                .withMessage("Not connected.");
        group.join(peer.connection, "a\u4e2db");
        assertThat(peer.next().getSender()).hasToString("a?b");
    }

    @Test
    void groupWithoutANameCanBeJoined() throws Exception {
        peer.join("");
        assertThat(Peer.message("").getGroups()[0]).hasToString("");
    }

    @Test
    void failedLeaveLeavesTheGroupBound() throws Exception {
        SpreadGroup group = peer.join("room");
        TestNetwork.Daemon daemon = NETWORK.network().daemon(0);
        peer.connection.disconnect();
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(group::leave)
                .withMessage("Not connected.");
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> group.join(peer.connection, "room"))
                .withMessage("Already joined.");
        peer.connection.connect(daemon.address(), daemon.port(), "sender", false, true);
        group.leave();
        group.join(peer.connection, "other");
    }

    @Test
    void manyGroupsAreWarnedAboutOnce() throws Exception {
        LogKeeper log = new LogKeeper();
        try {
            SpreadMessage many = new SpreadMessage();
            for (int i = 0; i < 43; i++) {
                many.addGroup("g" + i);
            }
            peer.connection.multicast(many);
            assertThat(log.records()).isEmpty();
            many.addGroup("one more");
            peer.connection.multicast(many);
            peer.connection.multicast(many);
            assertThat(log.records()).hasSize(1);
            assertThat(log.records().get(0).getMessage()).contains("more than 43 groups");
        } finally {
            log.close();
        }
        works();
    }

    @Test
    void joiningTwiceGivesOneMessage() throws Exception {
        peer.join("twice");
        new SpreadGroup().join(peer.connection, "twice");
        peer.send("twice", (byte) 1);
        assertThat(peer.next().isRegular()).isTrue();
    }

    @Test
    void groupsOfMessagesAreBoundToTheConnection() throws Exception {
        peer.join("bound");
        peer.send("bound");
        SpreadGroup group = peer.data().getGroups()[0];
        assertThatExceptionOfType(SpreadException.class)
                .isThrownBy(() -> group.join(peer.connection, "x"))
                .withMessage("Already joined.");
        group.leave();
        assertThat(peer.next().getMembershipInfo().isSelfLeave()).isTrue();
    }

    @Test
    void joinLeaveAndArraysGoThroughAnOverriddenMulticast() throws Exception {
        StringBuilder seen = new StringBuilder();
        SpreadConnection special =
                new SpreadConnection() {
                    @Override
                    public void multicast(SpreadMessage message) throws SpreadException {
                        seen.append(Integer.toHexString(message.getServiceType())).append(' ');
                        super.multicast(message);
                    }
                };
        special.connect(
                NETWORK.network().daemon(0).address(),
                NETWORK.network().daemon(0).port(),
                "special",
                false,
                false);
        SpreadGroup group = new SpreadGroup();
        group.join(special, "room");
        special.multicast(new SpreadMessage[] {Peer.message("room"), Peer.message("room")});
        group.leave();
        special.disconnect();
        assertThat(seen).hasToString("10000 4 4 20000 ");
    }

    @Test
    void sendersOfManyThreadsDoNotMixTheirMessages() throws Exception {
        peer.join("mixed");
        CompletableFuture<?>[] senders = new CompletableFuture<?>[4];
        for (int thread = 0; thread < senders.length; thread++) {
            byte mark = (byte) thread;
            senders[thread] =
                    CompletableFuture.runAsync(
                            () -> {
                                byte[] body = new byte[5000];
                                Arrays.fill(body, mark);
                                for (int i = 0; i < 50; i++) {
                                    try {
                                        peer.send("mixed", body);
                                    } catch (SpreadException e) {
                                        throw new AssertionError(e);
                                    }
                                }
                            });
        }
        for (int i = 0; i < 200; i++) {
            byte[] body = peer.data().getData();
            assertThat(body).hasSize(5000);
            for (byte b : body) {
                assertThat(b).isEqualTo(body[0]);
            }
        }
        CompletableFuture.allOf(senders).get();
    }

    @Test
    void senderWaitsForADaemonThatDoesNotReadAndDisconnectDoesNotWaitForIt() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            CompletableFuture<SpreadException> blocked = new CompletableFuture<>();
            Thread sender =
                    new Thread(
                            () -> {
                                try {
                                    while (true) {
                                        client.multicast(Peer.message("room", new byte[100_000]));
                                    }
                                } catch (SpreadException e) {
                                    blocked.complete(e);
                                }
                            });
            sender.start();
            Wait.untilBlockedIn(sender, "multicast");
            long before = System.nanoTime();
            client.disconnect();
            assertThat(System.nanoTime() - before).isLessThan(5_000_000_000L);
            assertThat(blocked.get().getMessage()).isIn("Not connected.", 
                    "write(): java.net.SocketException: Socket closed",
                    "write(): java.net.SocketException: Broken pipe");
        }
    }
}
