package spread;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import spread.testing.TestNetworkExtension;

/** Receiving: contents, byte orders, turns, broken frames. */
class ReceiveTest {

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final ByteOrder BIG = ByteOrder.BIG_ENDIAN;

    @RegisterExtension
    static final TestNetworkExtension NETWORK = TestNetworkExtension.daemons(1);

    @Test
    void messageArrivesAsItWasSent() throws Exception {
        try (Peer sender = Peer.at(NETWORK.network().daemon(0), "sender");
                Peer receiver = Peer.at(NETWORK.network().daemon(0), "receiver")) {
            receiver.join("a");
            receiver.join("b");
            SpreadMessage message = Peer.message("a", (byte) 1, (byte) 2);
            message.addGroup("b");
            message.setType((short) 99);
            message.setSafe();
            sender.connection.multicast(message);
            SpreadMessage got = receiver.data();
            assertThat(got.isIncoming()).isTrue();
            assertThat(got.isSafe()).isTrue();
            assertThat(got.getServiceType()).isEqualTo(0x20);
            assertThat(got.getSender()).hasToString("#sender#d1");
            assertThat(got.getSender()).isSameAs(got.getSender());
            assertThat(got.getGroups()).extracting(Object::toString).containsExactly("a", "b");
            assertThat(got.getType()).isEqualTo((short) 99);
            assertThat(got.getEndianMismatch()).isFalse();
            assertThat(got.getData()).containsExactly(1, 2).isSameAs(got.getData());
            assertThat(got.getMembershipInfo()).isNull();
            // It can go back to the groups that it came from.
            receiver.connection.multicast(got);
            assertThat(receiver.data().getSender()).hasToString("#receiver#d1");
        }
    }

    @Test
    void objectsAndDigestsArrive() throws Exception {
        try (Peer peer = Peer.at(NETWORK.network().daemon(0), "objects")) {
            peer.join("o");
            SpreadMessage message = Peer.message("o");
            message.setObject(new ArrayList<>(Arrays.asList("x", 1)));
            peer.connection.multicast(message);
            assertThat(peer.data().getObject()).isEqualTo(Arrays.asList("x", 1));
            message.digest("one");
            message.digest("two");
            peer.connection.multicast(message);
            SpreadMessage got = peer.data();
            assertThat(new ArrayList<Object>(got.getDigest())).containsExactly("one", "two");
            assertThat(got.getObject()).isEqualTo("one");
        }
    }

    @Test
    void selfDiscardedMessageReachesTheOthersOnly() throws Exception {
        try (Peer one = Peer.at(NETWORK.network().daemon(0), "one");
                Peer two = Peer.at(NETWORK.network().daemon(0), "two")) {
            one.join("s");
            two.join("s");
            SpreadMessage message = Peer.message("s", (byte) 1);
            message.setSelfDiscard(true);
            one.connection.multicast(message);
            one.send("s", (byte) 2);
            assertThat(one.data().getData()).containsExactly(2);
            SpreadMessage got = two.data();
            assertThat(got.getData()).containsExactly(1);
            assertThat(got.getServiceType()).isEqualTo(0x44);
        }
    }

    @Test
    void mismatchTellsThatTheSenderSaidLittleEndian() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            for (ByteOrder header : new ByteOrder[] {LITTLE, BIG}) {
                for (short type : new short[] {0x1234, -1, -2, 0, 1, Short.MAX_VALUE, Short.MIN_VALUE}) {
                    int word = (type & 0xffff) << 8;
                    daemon.out.write(
                            FakeDaemon.frame(header, 4, "#a#d", word, new byte[] {1}, "room"));
                    daemon.out.write(
                            FakeDaemon.frame(
                                    header,
                                    4,
                                    "#a#d",
                                    Integer.reverseBytes(word | 0x80000080),
                                    new byte[] {1},
                                    "room"));
                    SpreadMessage big = client.receive();
                    assertThat(big.getType()).isEqualTo(type);
                    assertThat(big.getEndianMismatch()).isFalse();
                    assertThat(big.getServiceType()).isEqualTo(4);
                    SpreadMessage little = client.receive();
                    assertThat(little.getType()).isEqualTo(type);
                    assertThat(little.getEndianMismatch()).isTrue();
                    assertThat(little.getGroups()).extracting(Object::toString).containsExactly("room");
                }
            }
            client.disconnect();
        }
    }

    @Test
    void rejectMessageTellsWhatWasRefused() throws Exception {
        for (ByteOrder order : new ByteOrder[] {LITTLE, BIG}) {
            try (FakeDaemon daemon = new FakeDaemon()) {
                SpreadConnection client = daemon.welcome("me");
                byte[] frame =
                        FakeDaemon.frame(order, 0x400000, "#a#d", 0x700, new byte[] {9}, "room");
                ByteBuffer reject = ByteBuffer.allocate(frame.length + 4).order(order);
                int old = order == LITTLE ? 0x10000 | 0x80000080 : 0x10000;
                reject.put(frame, 0, 48).putInt(old).put(frame, 48, frame.length - 48);
                daemon.out.write(reject.array());
                SpreadMessage got = client.receive();
                assertThat(got.getServiceType()).isEqualTo(0x410000);
                assertThat(got.isReject()).isTrue();
                assertThat(got.getType()).isEqualTo((short) 7);
                assertThat(got.getMembershipInfo()).isNull();
                assertThat(got.getData()).containsExactly(9);
                client.disconnect();
            }
        }
    }

    @Test
    void membershipHasTypeOfTheOwnPlaceAndARawBody() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            for (ByteOrder order : new ByteOrder[] {LITTLE, BIG}) {
                ByteBuffer body = ByteBuffer.allocate(56).order(order);
                body.putInt(7).putInt(8).putInt(9).putInt(1).putInt(0).putInt(1);
                body.put(FakeDaemon.field("#b#d"));
                daemon.out.write(
                        FakeDaemon.frame(
                                order, 0x1100, "room", 0x500, body.array(), "#b#d", "#me#fake"));
                SpreadMessage got = client.receive();
                assertThat(got.getType()).isEqualTo((short) 1);
                assertThat(got.getEndianMismatch()).isFalse();
                assertThat(got.getData()).isEqualTo(body.array());
                assertThat(got.getMembershipInfo().getGroupID()).hasToString("7 8 9");
                assertThat(got.getMembershipInfo().getJoined()).hasToString("#b#d");
                assertThat(got.getSender()).isSameAs(got.getMembershipInfo().getGroup());
                daemon.out.write(FakeDaemon.frame(order, 0x1100, "room", 0, body.array(), "#b#d"));
                assertThat(client.receive().getType()).isEqualTo((short) -1);
                daemon.out.write(FakeDaemon.frame(order, 0x2000, "room", 0, new byte[12]));
                got = client.receive();
                assertThat(got.getType()).isEqualTo((short) -1);
                assertThat(got.getGroups()).isEmpty();
                assertThat(got.getMembershipInfo().isTransition()).isTrue();
            }
            client.disconnect();
        }
    }

    @Test
    void otherTypesOfMessagesHaveNoInfo() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            daemon.out.write(FakeDaemon.frame(BIG, 0, "x", 0x700, new byte[] {1}, "room"));
            SpreadMessage got = client.receive();
            assertThat(got.getServiceType()).isZero();
            assertThat(got.getType()).isEqualTo((short) -1);
            assertThat(got.getMembershipInfo()).isNull();
            client.disconnect();
        }
    }

    @Test
    void namesOf32BytesEndThere() throws Exception {
        String full = "12345678901234567890123456789012";
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            daemon.out.write(FakeDaemon.frame(BIG, 2, full, 0, new byte[0], full, "next"));
            SpreadMessage got = client.receive();
            assertThat(got.getSender()).hasToString(full);
            assertThat(got.getGroups()).extracting(Object::toString).containsExactly(full, "next");
            client.disconnect();
        }
    }

    @Test
    void brokenMembershipIsDroppedAndTheNextMessageArrives() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            for (int service : new int[] {0x1100, 0x1002}) {
                daemon.out.write(FakeDaemon.frame(BIG, service, "x", 0, new byte[3], "room"));
                daemon.out.write(FakeDaemon.frame(BIG, 2, "x", 0, new byte[] {5}, "room"));
                assertThatExceptionOfType(SpreadException.class)
                        .isThrownBy(client::receive)
                        .withMessage("Illegal Message: Message Dropped");
                assertThat(client.receive().getData()).containsExactly(5);
                assertThat(client.isConnected()).isTrue();
            }
            client.disconnect();
        }
    }

    @Test
    void impossibleLengthsEndTheConnection() throws Exception {
        for (int at : new int[] {36, 44}) {
            for (int number : new int[] {-1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
                try (FakeDaemon daemon = new FakeDaemon()) {
                    SpreadConnection client = daemon.welcome("me");
                    daemon.out.write(FakeDaemon.frame(BIG, 2, "x", 0, new byte[] {1}, "room"));
                    byte[] frame = FakeDaemon.frame(BIG, 2, "x", 0, new byte[] {5}, "room");
                    ByteBuffer.wrap(frame).putInt(at, number);
                    daemon.out.write(frame);
                    assertThat(client.receive().getData()).containsExactly(1);
                    assertThatExceptionOfType(SpreadException.class)
                            .isThrownBy(client::receive)
                            .withMessage("Illegal Message: Message Dropped");
                    assertThat(client.isConnected()).isFalse();
                    assertThatExceptionOfType(SpreadException.class)
                            .isThrownBy(client::receive)
                            .withMessage("Connection closed while reading message header");
                    client.disconnect();
                }
            }
        }
    }

    @Test
    void largeMessagesAndSmallOnesMayAlternate() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            CompletableFuture<Void> source =
                    CompletableFuture.runAsync(
                            () -> {
                                try {
                                    for (int i = 0; i < 40; i++) {
                                        int size = i % 4 == 0 ? 300_000 : i * 100;
                                        byte[] body = new byte[size];
                                        Arrays.fill(body, (byte) i);
                                        daemon.out.write(
                                                FakeDaemon.frame(BIG, 2, "x", 0, body, "room"));
                                    }
                                } catch (java.io.IOException e) {
                                    throw new AssertionError(e);
                                }
                            });
            for (int i = 0; i < 40; i++) {
                byte[] body = client.receive().getData();
                assertThat(body).hasSize(i % 4 == 0 ? 300_000 : i * 100);
                assertThat(body.length == 0 || body[body.length - 1] == i).isTrue();
            }
            source.get();
            client.disconnect();
        }
    }

    /** Each large message would otherwise have a buffer of its own. */
    @Test
    void largeMessagesInARowShareABuffer() throws Exception {
        java.lang.management.BufferPoolMXBean direct =
                java.lang.management.ManagementFactory.getPlatformMXBeans(
                                java.lang.management.BufferPoolMXBean.class)
                        .stream()
                        .filter(pool -> pool.getName().equals("direct"))
                        .findFirst()
                        .get();
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            byte[] frame = FakeDaemon.frame(BIG, 2, "x", 0, new byte[100_000], "room");
            daemon.out.write(frame);
            client.receive();
            long before = direct.getCount();
            for (int i = 0; i < 100; i++) {
                daemon.out.write(frame);
                assertThat(client.receive().getData()).hasSize(100_000);
            }
            // Other tests' connections may have some.
            assertThat(direct.getCount()).isLessThan(before + 50);
            client.disconnect();
        }
    }

    @Test
    void frameMayComeByteByByte() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            byte[] frame = FakeDaemon.frame(LITTLE, 2, "x", 0, new byte[] {1, 2, 3}, "room");
            CompletableFuture<SpreadMessage> got =
                    CompletableFuture.supplyAsync(
                            () -> {
                                try {
                                    return client.receive();
                                } catch (Exception e) {
                                    throw new AssertionError(e);
                                }
                            });
            for (byte b : frame) {
                assertThat(client.poll()).isFalse();
                daemon.out.write(b);
                Thread.yield();
            }
            assertThat(got.get().getData()).containsExactly(1, 2, 3);
            client.disconnect();
        }
    }

    @Test
    void pollTellsOfWholeMessagesOnly() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            assertThat(client.poll()).isFalse();
            byte[] frame = FakeDaemon.frame(BIG, 2, "x", 0, new byte[] {1}, "room");
            daemon.out.write(frame, 0, frame.length - 1);
            assertThat(client.poll()).isFalse();
            daemon.out.write(frame, frame.length - 1, 1);
            daemon.out.write(frame);
            Wait.until("poll", client::poll);
            client.receive();
            Wait.until("poll again", client::poll);
            client.receive();
            assertThat(client.poll()).isFalse();
            client.disconnect();
        }
    }

    @Test
    void severalReceiversShareTheMessages() throws Exception {
        try (Peer peer = Peer.at(NETWORK.network().daemon(0), "shared", false)) {
            new SpreadGroup().join(peer.connection, "shared");
            List<CompletableFuture<Integer>> receivers = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                receivers.add(
                        CompletableFuture.supplyAsync(
                                () -> {
                                    try {
                                        int sum = 0;
                                        for (SpreadMessage m : peer.connection.receive(25)) {
                                            sum += m.getData()[0];
                                        }
                                        return sum;
                                    } catch (Exception e) {
                                        throw new AssertionError(e);
                                    }
                                },
                                command -> new Thread(command).start()));
            }
            for (byte i = 0; i < 100; i++) {
                peer.send("shared", i);
            }
            int sum = 0;
            for (CompletableFuture<Integer> receiver : receivers) {
                sum += receiver.get();
            }
            assertThat(sum).isEqualTo(99 * 100 / 2);
        }
    }

    @Test
    void messagesOfAFailedBatchAreNotLost() throws Exception {
        try (FakeDaemon daemon = new FakeDaemon()) {
            SpreadConnection client = daemon.welcome("me");
            for (byte i = 0; i < 3; i++) {
                daemon.out.write(FakeDaemon.frame(BIG, 2, "x", 0, new byte[] {i}, "room"));
            }
            daemon.out.write(FakeDaemon.frame(BIG, 0x1100, "x", 0, new byte[0], "room"));
            assertThatExceptionOfType(SpreadException.class).isThrownBy(() -> client.receive(4));
            assertThat(client.poll()).isTrue();
            assertThat(client.receive().getData()).containsExactly(0);
            assertThat(client.receive(2)[1].getData()).containsExactly(2);
            assertThat(client.receive(0)).isEmpty();
            assertThatExceptionOfType(NegativeArraySizeException.class)
                    .isThrownBy(() -> client.receive(-1));
            client.disconnect();
        }
    }

    @Test
    void interruptIsIgnored() throws Exception {
        try (Peer peer = Peer.at(NETWORK.network().daemon(0), "deaf")) {
            CompletableFuture<Boolean> got = new CompletableFuture<>();
            Thread receiver =
                    new Thread(
                            () -> {
                                try {
                                    peer.join("deaf");
                                    got.complete(Thread.currentThread().isInterrupted());
                                } catch (Throwable e) {
                                    got.completeExceptionally(e);
                                }
                            });
            receiver.start();
            receiver.interrupt();
            assertThat(got.get()).isTrue();
        }
    }

    @Test
    void disconnectWakesAReceiver() throws Exception {
        Peer peer = Peer.at(NETWORK.network().daemon(0), "woken");
        peer.join("woken");
        CompletableFuture<String> got = new CompletableFuture<>();
        Thread receiver =
                new Thread(
                        () -> {
                            try {
                                peer.next();
                                got.complete("a message");
                            } catch (Exception e) {
                                got.complete(e.getMessage());
                            }
                        });
        receiver.start();
        Wait.untilBlockedIn(receiver, "fetch");
        assertThat(peer.connection.poll()).isFalse();
        peer.send("elsewhere", (byte) 1);
        peer.connection.disconnect();
        assertThat(got.get())
                .isEqualTo(
                        "readBytesFromSocketListener(): read() java.net.SocketException: Socket closed");
    }

    @Test
    void withoutMembershipsThereAreNone() throws Exception {
        try (Peer peer = Peer.at(NETWORK.network().daemon(0), "blind", false)) {
            SpreadGroup group = new SpreadGroup();
            group.join(peer.connection, "blind");
            peer.send("blind", (byte) 1);
            assertThat(peer.next().getData()).containsExactly(1);
            group.leave();
            new SpreadGroup().join(peer.connection, "other");
            peer.send("other", (byte) 2);
            assertThat(peer.next().getData()).containsExactly(2);
        }
    }
}
