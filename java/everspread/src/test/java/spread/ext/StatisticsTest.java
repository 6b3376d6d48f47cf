package spread.ext;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.time.Duration;
import java.util.Properties;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import spread.SpreadException;
import spread.SpreadGroup;
import spread.SpreadMessage;
import spread.testing.TestNetwork;

/** The figures of a connection. */
class StatisticsTest {

    /** Header and one group. */
    private static final int FRAME = 48 + 32;

    private static final int BODY = 4000;

    private static SpreadClient open(TestNetwork network, String... options) throws Exception {
        StringBuilder daemons = new StringBuilder();
        for (TestNetwork.Daemon daemon : network.daemons()) {
            daemons.append(daemons.length() == 0 ? "" : ",").append(daemon.spreadName());
        }
        Properties properties = new Properties();
        properties.setProperty(SpreadClient.DAEMONS, daemons.toString());
        for (String option : options) {
            String[] pair = option.split("=");
            properties.setProperty(SpreadClient.PREFIX + pair[0], pair[1]);
        }
        return SpreadClient.open(properties);
    }

    private static SpreadMessage message(String group, int length) {
        SpreadMessage message = new SpreadMessage();
        message.setAgreed();
        message.addGroup(group);
        message.setData(new byte[length]);
        return message;
    }

    private static Statistics await(SpreadClient client, Predicate<Statistics> condition)
            throws Exception {
        long end = System.nanoTime() + 20_000_000_000L;
        Statistics statistics;
        do {
            statistics = client.statistics();
            assertThat(System.nanoTime()).as(statistics.toString()).isLessThan(end);
        } while (!condition.test(statistics));
        return statistics;
    }

    @Test
    void everythingIsCountedOnce() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient client = open(network, "private_name=count")) {
            Statistics fresh = client.statistics();
            assertThat(fresh.state()).isEqualTo(Statistics.State.OPEN);
            assertThat(fresh.daemon()).isEqualTo(client.daemon());
            assertThat(fresh.privateGroup()).isEqualTo("#count#d1");
            assertThat(fresh.lastLoss()).isEmpty();
            assertThat(fresh.messagesReceived() + fresh.messagesSent()).isZero();
            assertThat(fresh.oldest()).isZero();

            new SpreadGroup().join(client, "room");
            int joined = FRAME + client.receive().getData().length;
            client.multicast(message("room", 10));
            client.multicast(new SpreadMessage[] {message("room", 1), message("room", 2)});
            Statistics waiting = await(client, now -> now.messagesWaiting() == 3);
            assertThat(waiting.messagesSent()).isEqualTo(3);
            assertThat(waiting.bytesSent()).isEqualTo(3 * FRAME + 13);
            assertThat(waiting.messagesReceived()).isEqualTo(1);
            assertThat(waiting.bytesReceived()).isEqualTo(joined);
            assertThat(waiting.bytesWaiting()).isEqualTo(3 * FRAME + 13);
            assertThat(waiting.peakMessages()).isGreaterThanOrEqualTo(3);
            assertThat(waiting.peakBytes()).isGreaterThanOrEqualTo(3 * FRAME + 13);

            // All three cross over together; two of them wait on this side.
            client.receive();
            Statistics partly = client.statistics();
            assertThat(partly.messagesReceived()).isEqualTo(2);
            assertThat(partly.bytesReceived()).isEqualTo(joined + FRAME + 10);
            assertThat(partly.messagesWaiting()).isEqualTo(2);
            assertThat(partly.bytesWaiting()).isEqualTo(2 * FRAME + 3);
            client.receive(2);
            Statistics all = client.statistics();
            assertThat(all.messagesReceived()).isEqualTo(4);
            assertThat(all.messagesWaiting()).isZero();
            assertThat(all.bytesWaiting()).isZero();
            assertThat(all.toString()).startsWith("#count#d1 OPEN at ").contains("received 4");
            assertThat(waiting.messagesWaiting()).as("an old one").isEqualTo(3);

            client.close();
            assertThatExceptionOfType(SpreadException.class)
                    .isThrownBy(client::statistics)
                    .withMessage("Not connected.");
        }
    }

    @Test
    void ageAndPeakOfWhatWaitsAreTold() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient client = open(network)) {
            new SpreadGroup().join(client, "room");
            client.receive();
            for (int i = 0; i < 100; i++) {
                client.multicast(message("room", 1000));
            }
            await(client, now -> now.messagesWaiting() == 100);
            Statistics old = await(client, now -> now.oldest().compareTo(Duration.ofMillis(5)) > 0);
            assertThat(old.peakMessages()).isEqualTo(100);
            assertThat(old.peakBytes()).isEqualTo(100 * (FRAME + 1000));
            client.receive(100);
            assertThat(client.statistics().oldest()).isZero();
            assertThat(client.statistics().peakMessages()).isEqualTo(100);
        }
    }

    @Test
    void lossAndRestoreAreTold() throws Exception {
        try (TestNetwork network = TestNetwork.start(2);
                SpreadClient client =
                        open(network, "private_name=lost", "failover=auto", "reconnect_min_ms=1")) {
            new SpreadGroup().join(client, "room");
            client.receive();
            network.kill(0);
            Statistics back = await(client, now -> now.reconnects() == 1);
            assertThat(back.state()).isEqualTo(Statistics.State.OPEN);
            assertThat(back.lastLoss()).isNotEmpty();
            SpreadMessage message;
            do {
                message = client.receive();
            } while (!message.getMembershipInfo().isRegularMembership());
            assertThat(client.statistics().privateGroup()).isEqualTo("#lost#d2");
            // The marks of the gap are messages like others.
            assertThat(client.statistics().messagesWaiting()).isZero();
            assertThat(client.statistics().bytesWaiting()).isZero();
            network.kill(1);
            await(client, now -> now.state() == Statistics.State.RECONNECTING);
        }
    }

    @Test
    void stateOfAConnectionThatEnds() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient client = open(network)) {
            network.kill(0);
            Statistics ending =
                    await(client, now -> now.state() == Statistics.State.ENDING);
            assertThat(ending.lastLoss()).isNotEmpty();
            assertThatExceptionOfType(SpreadException.class).isThrownBy(client::receive);
            assertThat(client.statistics().state()).isEqualTo(Statistics.State.FAILED);
            client.close();
        }
    }

    @Test
    void droppedAndSpilledMessagesAreCounted() throws Exception {
        for (String policy : new String[] {"drop_newest", "spill"}) {
            try (TestNetwork network = TestNetwork.start(1);
                    SpreadClient slow =
                            open(network, "recv_max_bytes=64K", "recv_policy=" + policy);
                    SpreadClient sender = open(network)) {
                new SpreadGroup().join(slow, "flood");
                slow.receive();
                boolean drops = policy.startsWith("drop");
                SpreadMessage[] some = new SpreadMessage[200];
                java.util.Arrays.fill(some, message("flood", BODY));
                Statistics now = slow.statistics();
                for (int round = 1; round <= 12; round++) {
                    sender.multicast(some);
                    // The daemon must not count it as slow.
                    int sent = round * some.length;
                    now = await(slow, at -> at.messagesDropped() + at.messagesWaiting() == sent);
                }
                if (!drops) {
                    now = await(slow, at -> at.bytesSpilled() > 0);
                }
                assertThat(now.messagesDropped() > 0).isEqualTo(drops);
                assertThat(now.bytesDropped())
                        .isEqualTo(now.messagesDropped() * (FRAME + BODY));
                assertThat(now.bytesWaiting()).isEqualTo(now.messagesWaiting() * (FRAME + BODY));
            }
        }
    }

    @Test
    void waitsForTheDaemonAreTold() throws Exception {
        try (TestNetwork network = TestNetwork.start(1);
                SpreadClient client = open(network)) {
            network.freeze(0);
            Thread sender =
                    new Thread(
                            () -> {
                                try {
                                    while (true) {
                                        client.multicast(message("room", 100_000));
                                    }
                                } catch (SpreadException e) {
                                    // The end of the test.
                                }
                            });
            sender.setDaemon(true);
            sender.start();
            await(client, now -> now.sendBlocked().compareTo(Duration.ofMillis(2)) > 0);
            network.thaw(0);
            network.kill(0);
            sender.join();
        }
    }
}
