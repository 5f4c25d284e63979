package org.elasticsearch.xpack.security;

import java.util.List;
import org.elasticsearch.action.ActionRequest;
import org.elasticsearch.action.ActionResponse;
import org.elasticsearch.common.settings.Settings;

/**
 * Security without its SAML actions, which need jars that Maven Central does not have. Everything else is the plugin's own. The server
 * asks for a package below org.elasticsearch.xpack.
 */
public final class SecurityWithoutSaml extends Security {
    /** Is called by the loader of plugins. */
    public SecurityWithoutSaml(Settings settings) {
        super(settings);
    }

    @Override
    public List<ActionHandler<? extends ActionRequest, ? extends ActionResponse>> getActions() {
        List<ActionHandler<? extends ActionRequest, ? extends ActionResponse>> all = super.getActions();
        return all.stream().filter(a -> !a.getTransportAction().getSimpleName().contains("Saml")).toList();
    }
}
