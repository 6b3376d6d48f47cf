package spread.ext;

import java.time.Duration;

/** How a lost connection was restored. */
public final class Reconnection {

    private final String oldPrivateGroup;
    private final String privateGroup;
    private final String daemon;
    private final Duration gap;
    private final int groups;
    private final int attempts;
    private final int outages;

    Reconnection(
            String oldPrivateGroup,
            String privateGroup,
            String daemon,
            Duration gap,
            int groups,
            int attempts,
            int outages) {
        this.oldPrivateGroup = oldPrivateGroup;
        this.privateGroup = privateGroup;
        this.daemon = daemon;
        this.gap = gap;
        this.groups = groups;
        this.attempts = attempts;
        this.outages = outages;
    }

    /**
     * The private group before.
     *
     * @return its name
     */
    public String oldPrivateGroup() {
        return oldPrivateGroup;
    }

    /**
     * The private group now.
     *
     * @return its name
     */
    public String privateGroup() {
        return privateGroup;
    }

    /**
     * Where the new daemon is.
     *
     * @return such as {@code 10.0.0.2:4803}
     */
    public String daemon() {
        return daemon;
    }

    /**
     * From the loss to the moment when all groups were joined again.
     *
     * @return a time, in milliseconds
     */
    public Duration gap() {
        return gap;
    }

    /**
     * Groups that were joined again.
     *
     * @return how many
     */
    public int groups() {
        return groups;
    }

    /**
     * Daemons that were asked, the one that accepted included.
     *
     * @return at least 1
     */
    public int attempts() {
        return attempts;
    }

    /**
     * How many losses this stands for.
     *
     * @return 1; more only where the listeners have been busy for long. {@link #gap()} and {@link
     *     #attempts()} are sums then
     */
    public int outages() {
        return outages;
    }

    /** All of it. */
    @Override
    public String toString() {
        return oldPrivateGroup + " -> " + privateGroup + " at " + daemon + " after " + gap;
    }
}
